"""VoiceBridge: takes each call that enters Stasis and joins it to a bot."""
