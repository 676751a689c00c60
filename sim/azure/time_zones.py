"""The likely time zone of a region, the platform's (Windows') names of zones, and its instants."""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from types import MappingProxyType
from zoneinfo import available_timezones

# Where the data centres stand (the platform's list of regions); people are assumed to work where their VMs are.
REGION_ZONES = MappingProxyType(
    {
        "westeurope": "Europe/Amsterdam", "northeurope": "Europe/Dublin", "uksouth": "Europe/London", "ukwest": "Europe/London",
        "francecentral": "Europe/Paris", "germanywestcentral": "Europe/Berlin", "switzerlandnorth": "Europe/Zurich",
        "norwayeast": "Europe/Oslo", "swedencentral": "Europe/Stockholm", "polandcentral": "Europe/Warsaw", "italynorth": "Europe/Rome",
        "spaincentral": "Europe/Madrid", "belgiumcentral": "Europe/Brussels", "austriaeast": "Europe/Vienna",
        "eastus": "America/New_York", "eastus2": "America/New_York", "centralus": "America/Chicago",
        "northcentralus": "America/Chicago", "southcentralus": "America/Chicago", "westcentralus": "America/Denver",
        "westus": "America/Los_Angeles", "westus2": "America/Los_Angeles", "westus3": "America/Phoenix",
        "canadacentral": "America/Toronto", "canadaeast": "America/Toronto", "brazilsouth": "America/Sao_Paulo",
        "mexicocentral": "America/Mexico_City", "southafricanorth": "Africa/Johannesburg", "uaenorth": "Asia/Dubai",
        "qatarcentral": "Asia/Qatar", "israelcentral": "Asia/Jerusalem", "centralindia": "Asia/Kolkata", "southindia": "Asia/Kolkata",
        "westindia": "Asia/Kolkata", "southeastasia": "Asia/Singapore", "eastasia": "Asia/Hong_Kong", "japaneast": "Asia/Tokyo",
        "japanwest": "Asia/Tokyo", "koreacentral": "Asia/Seoul", "koreasouth": "Asia/Seoul", "australiaeast": "Australia/Sydney",
        "australiasoutheast": "Australia/Melbourne", "australiacentral": "Australia/Sydney", "newzealandnorth": "Pacific/Auckland",
    }
)  # fmt: skip

# windowsZones.xml of the Unicode CLDR, territory 001, for the zones of these regions.
WINDOWS_ZONES = MappingProxyType(
    {
        "utc": "UTC", "w. europe standard time": "Europe/Berlin", "romance standard time": "Europe/Paris",
        "gmt standard time": "Europe/London", "central europe standard time": "Europe/Budapest",
        "central european standard time": "Europe/Warsaw", "e. europe standard time": "Europe/Chisinau",
        "fle standard time": "Europe/Kyiv", "gtb standard time": "Europe/Bucharest", "eastern standard time": "America/New_York",
        "central standard time": "America/Chicago", "mountain standard time": "America/Denver",
        "us mountain standard time": "America/Phoenix", "pacific standard time": "America/Los_Angeles",
        "e. south america standard time": "America/Sao_Paulo", "south africa standard time": "Africa/Johannesburg",
        "arabian standard time": "Asia/Dubai", "arab standard time": "Asia/Riyadh", "israel standard time": "Asia/Jerusalem",
        "india standard time": "Asia/Kolkata", "singapore standard time": "Asia/Singapore", "china standard time": "Asia/Shanghai",
        "tokyo standard time": "Asia/Tokyo", "korea standard time": "Asia/Seoul", "aus eastern standard time": "Australia/Sydney",
        "new zealand standard time": "Pacific/Auckland",
    }
)  # fmt: skip


def region_zone(region: str) -> str:
    """The zone of a region; UTC for one that isn't known."""
    return REGION_ZONES.get(region, "UTC")


def iana_zone(name: str) -> str:
    """A zone's IANA name, whether it is written so or as Windows does; "" for one that isn't known.

    >>> iana_zone("W. Europe Standard Time")
    'Europe/Berlin'
    """
    return WINDOWS_ZONES.get(name.strip().lower(), name if name in available_timezones() else "")


COUNTRIES = (
    "NL", "IE", "DE", "FR", "GB", "BE", "AT", "CH", "PL", "ES", "IT", "SE", "NO", "DK", "US", "CA", "IN", "SG", "JP", "AU",
)  # fmt: skip
REGION_COUNTRIES = MappingProxyType(
    {
        "westeurope": "NL", "northeurope": "IE", "uksouth": "GB", "ukwest": "GB", "francecentral": "FR", "germanywestcentral": "DE",
        "switzerlandnorth": "CH", "norwayeast": "NO", "swedencentral": "SE", "polandcentral": "PL", "italynorth": "IT",
        "spaincentral": "ES", "belgiumcentral": "BE", "austriaeast": "AT", "japaneast": "JP", "australiaeast": "AU",
        "canadacentral": "CA", "centralindia": "IN", "southeastasia": "SG",
    }
)  # fmt: skip


def holiday_country(days: Sequence[date], weekdays: Collection[int], region: str, period: tuple[date, date]) -> str:
    """The country whose public holidays in a period, on these weekdays, are just these days; the region's goes first; "" for none."""
    import holidays  # start-up: a tenth of a second, needed only where days off were found

    here = REGION_COUNTRIES.get(region, "US" if "us" in region else "")
    for country in dict.fromkeys((here, *COUNTRIES)):
        if not country:
            continue
        known = holidays.country_holidays(country, years=range(period[0].year, period[1].year + 1), observed=True)
        if {day for day in known if period[0] <= day <= period[1] and day.weekday() in weekdays} == set(days):
            return country
    return ""


def instant_of(text: str) -> datetime | None:
    """An instant as the platform writes it, with seven digits of a second; UTC where nothing else is said. None: it is none."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
