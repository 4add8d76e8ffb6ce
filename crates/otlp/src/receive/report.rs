//! What programs tell of themselves, as OTLP metrics, as far as it is looked at: numbers and histograms.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    HistogramDataPoint, Metric as ProtoMetric, NumberDataPoint, ResourceMetrics, number_data_point,
};
use prost::Message;

use super::{BadRequest, convert};
use crate::model::{Resource, Scope};

/// What one program tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Who.
    pub resource: Resource,
    /// Which part of it.
    pub scope: Scope,
    /// What.
    pub metrics: Vec<Metric>,
}

/// One metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// Its values; none if it is of a kind that is not looked at.
    pub points: Vec<Point>,
}

/// A value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Since when it is counted, in nanoseconds since 1970.
    pub since: u64,
    /// Of what, where that is text.
    pub labels: Vec<(String, String)>,
    /// How much.
    pub value: Measure,
}

/// How much.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// A number.
    Number(f64),
    /// Values spread over buckets.
    Spread {
        /// The upper bounds of all buckets but the last.
        bounds: Vec<f64>,
        /// How many are in each bucket.
        counts: Vec<u64>,
        /// All values together.
        sum: f64,
    },
}

/// Reads an `ExportMetricsServiceRequest` in protobuf.
///
/// # Errors
/// It is none.
pub fn from_metrics(request: Bytes) -> Result<Vec<Report>, BadRequest> {
    let request =
        ExportMetricsServiceRequest::decode(request).map_err(|error| BadRequest::new(error.to_string()))?;
    let mut reports = Vec::new();
    for ResourceMetrics {
        resource,
        scope_metrics,
        ..
    } in request.resource_metrics
    {
        let bad = |_| BadRequest::new("a resource has too many attributes");
        let resource = convert::resource(resource.unwrap_or_default()).map_err(bad)?;
        for scoped in scope_metrics {
            reports.push(Report {
                resource: resource.clone(),
                scope: convert::scope(scoped.scope.unwrap_or_default()).map_err(bad)?,
                metrics: scoped.metrics.into_iter().map(metric).collect(),
            });
        }
    }
    Ok(reports)
}

fn metric(from: ProtoMetric) -> Metric {
    let points = match from.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.into_iter().map(number).collect(),
        Some(Data::Sum(sum)) => sum.data_points.into_iter().map(number).collect(),
        Some(Data::Histogram(histogram)) => histogram.data_points.into_iter().map(spread).collect(),
        _ => Vec::new(),
    };
    Metric {
        name: from.name,
        points,
    }
}

fn number(from: NumberDataPoint) -> Point {
    let value = match from.value {
        Some(number_data_point::Value::AsInt(number)) => number as f64,
        Some(number_data_point::Value::AsDouble(number)) => number,
        None => 0.0,
    };
    Point {
        since: from.start_time_unix_nano,
        labels: labels(from.attributes),
        value: Measure::Number(value),
    }
}

fn spread(from: HistogramDataPoint) -> Point {
    Point {
        since: from.start_time_unix_nano,
        labels: labels(from.attributes),
        value: Measure::Spread {
            bounds: from.explicit_bounds,
            counts: from.bucket_counts,
            sum: from.sum.unwrap_or(0.0),
        },
    }
}

fn labels(from: Vec<KeyValue>) -> Vec<(String, String)> {
    let label = |pair: KeyValue| match convert::value(pair.value.and_then(|any| any.value)) {
        crate::model::Value::String(text) => Some((pair.key, text)),
        _ => None,
    };
    from.into_iter().filter_map(label).collect()
}
