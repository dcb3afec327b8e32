"""What can go wrong: a setting is wrong, or a server that is watched does not answer."""


class MonitorError(Exception):
    """One sentence for people: what, where and how to mend it."""


class SettingsError(MonitorError):
    """A variable of the environment cannot be used."""


class Later(MonitorError):
    """What was asked about can only be told at a later look; nobody is away who is looked at now."""


class Away(MonitorError):
    """A server did not answer, or not with what it should; the next look asks again."""
