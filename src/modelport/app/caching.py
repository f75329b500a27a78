"""The response cache that the settings ask for."""

from __future__ import annotations

from modelport.core.settings import Caching
from modelport.engine.cache.cache import Cache
from modelport.engine.cache.far import FarStore
from modelport.engine.cache.near import NearStore
from modelport.engine.cache.redis_link import RedisLink
from modelport.kit.addresses import shown
from modelport.monitor.caching import CacheCounts, CacheReport, CacheState

__all__ = ["cache_of", "cache_report"]


def cache_of(settings: Caching) -> Cache | None:
    """The cache; None where it is off.

    Raises:
        ConfigError: neither a word that is known nor the address of a Redis.
        MissingLibrary: Redis' client is not installed; names the extra.
    """
    if settings.cache == "off":
        return None
    if settings.cache == "memory":
        return Cache(near=NearStore(settings.cache_bytes, settings.cache_ttl_s))
    link = RedisLink(settings.cache)
    return Cache(far=FarStore(link, settings.cache_ttl_s, shown(settings.cache)))


def cache_report(cache: Cache | None) -> CacheReport:
    """What a cache did, and how it is."""
    report = CacheReport()
    if cache is None:
        return report
    report.versions = [
        CacheCounts(model, version, c.hits, c.misses, c.shared)
        for (model, version), c in cache.counts.items()
    ]
    if cache.near is not None:
        report.state = CacheState(cache.near.taken_bytes, len(cache.near))
    if cache.far is not None:
        report.stored, report.dropped = cache.far.stored, cache.far.dropped
        report.errors = dict(cache.far.errors)
        report.state = CacheState(open=int(cache.far.is_open))
    return report
