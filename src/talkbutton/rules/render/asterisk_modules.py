"""The modules Asterisk loads, and no others: what isn't there can't be called or attacked.

Left out on purpose: registration, REFER, SUBSCRIBE, MESSAGE, the manager interface, Dial and every
other way to reach a number, and the part of ARI that loads modules and writes settings.
"""

__all__ = ["MODULES"]

_TIMING_AND_OBJECTS = (
    "res_timing_timerfd",
    "res_sorcery_config",
    "res_sorcery_memory",
    "res_sorcery_astdb",
)

_HTTP_AND_ARI = (
    "res_http_websocket",
    "res_websocket_client",  # res_ari has symbols of it
    "res_stasis",
    "res_stasis_answer",  # this one and the next three: res_ari_channels has symbols of them
    "res_stasis_recording",
    "res_stasis_playback",
    "res_stasis_snoop",
    "res_ari",
    "res_ari_model",
    "res_ari_applications",
    "res_ari_bridges",
    "res_ari_channels",
    "res_ari_events",
)

_MEDIA = (
    "bridge_simple",
    "bridge_softmix",
    "codec_ulaw",
    "codec_alaw",
    "codec_g722",
    "codec_resample",
    "codec_opus_open_source",
    "res_format_attr_opus",
)

_SIP_AND_RTP = (
    "res_pjproject",
    "res_pjsip",
    "res_pjsip_endpoint_identifier_user",
    "res_pjsip_authenticator_digest",
    "res_pjsip_acl",
    "res_pjsip_session",
    "res_pjsip_sdp_rtp",
    "res_pjsip_nat",
    "res_pjsip_pubsub",  # chan_pjsip asks for it; without an event package it accepts nothing
    "res_pjsip_rfc3326",  # says in BYE why a call ended
    "res_pjsip_header_funcs",
    "res_rtp_asterisk",
    "res_rtp_multicast",  # chan_rtp has symbols of it
    "chan_rtp",
    "chan_pjsip",
)

_DIALPLAN = ("pbx_config", "app_stasis", "func_strings", "func_logic")

MODULES: tuple[str, ...] = tuple(
    f"{name}.so" for name in _TIMING_AND_OBJECTS + _HTTP_AND_ARI + _MEDIA + _SIP_AND_RTP + _DIALPLAN
)
"""File names, in the order to load them."""
