"""Errors that a person can answer: each message names the fix."""


class HeadwaterError(Exception):
    """Something that the user can mend."""


class WrongUseError(HeadwaterError):
    """Words of a command that are missing, or do not go together: exit code 2."""


class ProductError(HeadwaterError):
    """A product's declaration does not hold."""


class DeviceError(HeadwaterError):
    """A device's declaration does not hold."""


class RuleError(HeadwaterError):
    """A rule's declaration does not hold."""


class SettingsError(HeadwaterError):
    """A setting, or two together, cannot work."""
