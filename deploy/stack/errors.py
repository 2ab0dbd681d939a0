"""The one exception for what a person has to know: its text says what failed, where to look and what to do."""


class StackError(Exception):
    pass
