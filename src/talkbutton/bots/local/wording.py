"""What the bot in the box says besides the owner's words."""

__all__ = ["APOLOGY", "FIXED", "NOTHING_MORE", "NOT_HEARD", "PRESENT", "SILENCED", "WELCOME", "YES"]

APOLOGY = "I am sorry, something went wrong on my side. Please ask me again."
"""When recognition or the voice fails or is late."""

NOT_HEARD = "Sorry, I did not hear you well. Could you say that again?"
"""When speech gave no words."""

PRESENT = "Yes, I am here. How can I help you?"
"""To "hello, is anyone there"."""

WELCOME = "You are welcome. Is there anything else?"
"""To "thank you"."""

SILENCED = "All right. What else can I do for you?"
"""To "stop"."""

YES = "Good. What would you like to know?"
"""To "yes"."""

NOTHING_MORE = "All right. Just ask, when there is something."
"""To "no"."""

FIXED = (APOLOGY, NOT_HEARD, PRESENT, WELCOME, SILENCED, YES, NOTHING_MORE)
"""All of them, the most urgent first."""
