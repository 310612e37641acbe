"""CloudWatch's metrics, indexed: a fleet's two weeks are hundreds of thousands of datapoints."""

import datetime

from moto.cloudwatch import models as cloudwatch_models
from moto.cloudwatch.models import CloudWatchBackend, MetricDatum, cloudwatch_backends
from moto.core.utils import utcnow

def series_of(backend):
    """Datapoints by (namespace, metric, dimensions): what was seeded, and what was put since it was last asked."""
    if not hasattr(backend, "series"):
        backend.series = {}
        backend.indexed = 0
    for datum in backend.metric_data[backend.indexed :]:
        key = series_key(datum.namespace, datum.name, {d.name: d.value for d in datum.dimensions})
        points = backend.series.setdefault(key, [])
        backend.series[key] = [*points, (datum.timestamp, getattr(datum, "value", None) or getattr(datum, "sum", 0.0))]
    backend.indexed = len(backend.metric_data)
    return backend.series


def series_key(namespace, metric, dimensions):
    return namespace, metric, frozenset(dimensions.items())


STATISTICS = {
    "Sum": sum,
    "Maximum": max,
    "Minimum": min,
    "SampleCount": len,
    "Average": lambda values: sum(values) / len(values),
}


def buckets(points, start, end, period):
    """Period start → values, oldest first."""
    found = {}
    for at, value in points:
        if start <= at < end:
            found.setdefault(int((at - start).total_seconds()) // period, []).append(value)
    return [(start + datetime.timedelta(seconds=index * period), found[index]) for index in sorted(found)]


def correct_metrics():
    # Fault: each query walks through every datapoint of the region once per period; 500 queries over two weeks take minutes.
    original_data = CloudWatchBackend.get_metric_data

    def get_metric_data(self, queries, start_time, end_time, scan_by="TimestampAscending"):
        if start_time >= end_time or not all("MetricStat" in query for query in queries):
            return original_data(self, queries, start_time, end_time, scan_by)
        series = series_of(self)
        results = []
        for query in queries:
            asked = query["MetricStat"]
            metric = asked["Metric"]
            dimensions = {d["Name"]: d["Value"] for d in metric.get("Dimensions", [])}
            points = series.get(series_key(metric["Namespace"], metric["MetricName"], dimensions), [])
            found = buckets(points, start_time.replace(microsecond=0), end_time, int(asked["Period"]))
            if scan_by == "TimestampDescending":
                found.reverse()
            if query.get("ReturnData", True):
                results.append(
                    {
                        "id": query["Id"],
                        "label": query.get("Label") or f"{metric['MetricName']} {asked['Stat']}",
                        "values": [STATISTICS[asked["Stat"]](values) for _, values in found],
                        "timestamps": [at for at, _ in found],
                        "status_code": "Complete",
                    }
                )
        return results

    def get_metric_statistics(
        self, namespace, metric_name, start_time, end_time, period, stats, dimensions, unit=None
    ):
        key = series_key(namespace, metric_name, {d["Name"]: d["Value"] for d in dimensions or []})
        answer = []
        for at, values in buckets(series_of(self).get(key, []), start_time.replace(microsecond=0), end_time, period):
            statistics = cloudwatch_models.Statistics(stats, at)
            statistics.metric_data = [MetricDatum(namespace, metric_name, value, [], at, "None") for value in values]
            statistics.unit = "None"
            answer.append(statistics)
        return answer

    original_filtered = CloudWatchBackend.get_filtered_metrics

    def get_filtered_metrics(self, metric_name, namespace, dimensions):
        found = original_filtered(self, metric_name, namespace, dimensions)
        known = {series_key(m.namespace, m.name, {d.name: d.value for d in m.dimensions}) for m in found}
        for key in series_of(self):
            datum = MetricDatum(
                key[0], key[1], 0.0, [{"Name": name, "Value": value} for name, value in sorted(key[2])], utcnow()
            )
            if key not in known and datum.filter(namespace, metric_name, dimensions, []):
                found.append(datum)
        return found

    CloudWatchBackend.get_metric_data = get_metric_data
    CloudWatchBackend.get_metric_statistics = get_metric_statistics
    CloudWatchBackend.get_filtered_metrics = get_filtered_metrics


def put_series(account, region, metric, instance_id, points):
    """Adds a whole series at once; points are shared between instances, never changed in place."""
    key = series_key("AWS/EC2", metric, {"InstanceId": instance_id})
    series_of(cloudwatch_backends[account][region])[key] = points
