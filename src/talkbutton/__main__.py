"""``python -m talkbutton`` is the ``talkbutton`` command."""

from talkbutton.cli.main import main

main()
