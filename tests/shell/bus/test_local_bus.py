import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.errors import ProtocolError
from talkbutton.runtime.bus import BusMessage, LocalBus, decode_message, encode_message

pytestmark = [pytest.mark.shell, pytest.mark.anyio]

CAPTION = BusMessage("caption", "c1", {"text": "hé"})


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "bus"
    assert list((tmp_path / "bus").glob("*")) == [], "a bus left its socket behind"


async def test_a_message_reaches_the_other_programs_in_order(folder: Path) -> None:
    edge, bridge = LocalBus(folder, "edge"), LocalBus(folder, "bridge")
    edge.open()
    bridge.open()
    try:
        with edge.subscribe("caption") as captions:
            for n in range(500):
                bridge.publish(BusMessage("caption", "c1", {"n": n}))
            heard = [await asyncio.wait_for(anext(captions), 5) for _ in range(500)]
        assert [message.data["n"] for message in heard] == list(range(500))
    finally:
        edge.close()
        bridge.close()


async def test_a_subscription_hears_only_its_call_and_topics(folder: Path) -> None:
    bus = LocalBus(folder, "edge")
    bus.open()
    try:
        with bus.subscribe("caption", call_id="c1") as captions:
            bus.publish(BusMessage("caption", "c2"))
            bus.publish(BusMessage("call.ending", "c1"))
            bus.publish(CAPTION)
            assert await asyncio.wait_for(anext(captions), 5) == CAPTION
    finally:
        bus.close()


async def test_a_program_that_starts_anew_takes_its_place_again(folder: Path) -> None:
    edge, bridge = LocalBus(folder, "edge"), LocalBus(folder, "bridge")
    bridge.open()
    edge.open()
    assert edge._socket is not None
    asyncio.get_running_loop().remove_reader(edge._socket)
    edge._socket.close()  # as SIGKILL leaves it: the file stays
    bridge.publish(CAPTION)
    edge = LocalBus(folder, "edge")
    edge.open()
    try:
        with edge.subscribe("caption") as captions:
            bridge.publish(CAPTION)
            assert await asyncio.wait_for(anext(captions), 5) == CAPTION
    finally:
        edge.close()
        bridge.close()


async def test_a_reader_that_does_not_read_never_blocks_the_writer(folder: Path) -> None:
    writer, stuck = LocalBus(folder, "writer"), LocalBus(folder, "stuck")
    stuck.open()
    asyncio.get_running_loop().remove_reader(stuck._socket)  # type: ignore[arg-type]
    writer.open()
    try:
        while writer.dropped_messages == 0:
            writer.publish(BusMessage("caption", "c1", {"text": "x" * 10_000}))
        assert writer.dropped_messages == 1
    finally:
        writer.close()
        stuck.close()


async def test_garbage_in_the_socket_is_ignored(folder: Path) -> None:
    bus, other = LocalBus(folder, "edge"), LocalBus(folder, "other")
    bus.open()
    other.open()
    try:
        with bus.subscribe("caption") as captions:
            other._socket.sendto(b"\xff[", str(folder / "edge.sock"))  # type: ignore[union-attr]
            other.publish(CAPTION)
            assert await asyncio.wait_for(anext(captions), 5) == CAPTION
    finally:
        bus.close()
        other.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 53), 1 << 53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.text(), st.none() | st.text(), st.dictionaries(st.text(), JSON, max_size=3))
def test_a_message_survives_the_wire(
    topic: str, call_id: str | None, content: dict[str, object]
) -> None:
    message = BusMessage(topic, call_id, content)
    try:
        encoded = encode_message(message)
    except UnicodeEncodeError:
        return  # a lone surrogate is no text
    assert decode_message(encoded) == message


@given(st.binary(max_size=200))
def test_other_bytes_are_refused_with_the_documented_error(encoded: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_message(encoded)


def test_a_message_over_the_size_is_the_senders_mistake() -> None:
    with pytest.raises(ValueError, match="bytes"):
        encode_message(BusMessage("caption", "c1", {"text": "x" * 20_000}))
