"""What the landing holds, one row per topic; and whether it can be read, checked before anything is computed."""

import logging
from datetime import UTC, datetime

from pyspark.sql import DataFrame

from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.error_format import message_of, shorten
from pinterest_transforms.errors import LandingError, PinterestError
from pinterest_transforms.ingest import landing_reader
from pinterest_transforms.ingest.landing import check_landing, folder_exists
from pinterest_transforms.ingest.landing_files import Listing
from pinterest_transforms.settings import Leg

_LOG = logging.getLogger(__name__)
_COLUMNS = "topic STRING, files BIGINT, bytes BIGINT, newest_file TIMESTAMP_LTZ, not_taken BIGINT"


def landing_summary(leg: Leg) -> DataFrame:
    """What the landing holds, one row per topic.

    The smallest file of each topic is opened: a bucket may be listed by who must not read it.

    Returns:
        topic, files, bytes, newest_file (UTC; null if there is none) and not_taken, how many files hold no records.

    Raises:
        LandingError: the landing cannot be read, or holds no topics of this user id.
    """
    rows = []
    try:
        check_landing(leg)
        for one in map(leg.for_entity, ENTITIES):
            there = folder_exists(leg, one.topic_folder)
            listing = landing_reader.list_topic(one) if there else Listing(one.topic)
            if listing.records:
                smallest = min(listing.records, key=lambda path: (listing.records[path].size, path))
                landing_reader.raw_records(leg.spark, [smallest]).head(1)
            for line in listing.remarks():
                _LOG.warning("%s", line, extra={"topic": one.topic})
            rows.append(_row(listing))
    except PinterestError:
        raise
    except Exception as error:
        said = shorten(message_of(error))
        raise LandingError(f"landing must be readable, got {leg.settings.landing!r}: {said}") from None
    return leg.spark.createDataFrame(rows, _COLUMNS)


def _row(listing: Listing) -> tuple[str, int, int, datetime | None, int]:
    stamps = listing.records.values()
    newest = max((stamp.modified for stamp in stamps), default=None)
    moment = None if newest is None else datetime.fromtimestamp(newest / 1e9, UTC)
    return listing.topic, len(stamps), sum(stamp.size for stamp in stamps), moment, listing.others
