"""May this visitor start a call now?"""
