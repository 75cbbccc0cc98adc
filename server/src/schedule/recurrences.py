"""Reads rules, one JSON list [start, zone, rule, most, before] a line, and writes for each the instants (seconds since 1970) at which it
recurs, by python-dateutil. Times are civil, YYYYMMDDTHHMMSS."""

import datetime
import itertools
import json
import sys

from dateutil import rrule, tz

FORM = "%Y%m%dT%H%M%S"

for line in sys.stdin:
    start, zone, rule, most, before = json.loads(line)
    zone = tz.gettz(zone)
    try:
        recurs = rrule.rrulestr(rule, dtstart=datetime.datetime.strptime(start, FORM))
    except ValueError as error:
        # It says so of hours that an interval never meets.
        assert "generates an empty set" in str(error), error
        recurs = []
    before = datetime.datetime.strptime(before, FORM)
    civil = itertools.takewhile(lambda at: at < before, recurs)
    instants = (tz.resolve_imaginary(at.replace(tzinfo=zone)) for at in itertools.islice(civil, most))
    print(json.dumps([int(at.timestamp()) for at in instants]))
