"""Errors that a person can answer: each message names the fix."""


class HeadwaterError(Exception):
    """Something that the user can mend."""


class ProductError(HeadwaterError):
    """A product's declaration does not hold."""


class DeviceError(HeadwaterError):
    """A device's declaration does not hold."""


class RuleError(HeadwaterError):
    """A rule's declaration does not hold."""


class SettingsError(HeadwaterError):
    """A setting, or two together, cannot work."""
