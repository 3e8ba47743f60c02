//! Tests against a real Elasticsearch.

mod filters;
