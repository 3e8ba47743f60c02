"""Reads an index with helpers.scan and prints documents, seconds and seconds to the first one."""

import json
import resource
import sys
import time

from elasticsearch import Elasticsearch, helpers

url, index, sort, page = sys.argv[1:]
client = Elasticsearch(url, request_timeout=120)
began = time.perf_counter()
first = None
documents = 0
query = {"sort": [{sort: "desc"}]}
for hit in helpers.scan(client, index=index, query=query, size=int(page), scroll="120s", preserve_order=True):
    if first is None:
        first = time.perf_counter() - began
    documents += 1
took = time.perf_counter() - began
usage = resource.getrusage(resource.RUSAGE_SELF)
figures = {
    "documents": documents,
    "seconds": took,
    "first_seconds": first or 0.0,
    "cpu_seconds": usage.ru_utime + usage.ru_stime,
    "peak_bytes": usage.ru_maxrss * 1024,
}
print(json.dumps(figures))
