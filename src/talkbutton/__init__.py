"""Talk, in the browser, with the voice bot that answers the company's phone system."""
