//! Camunda Optimize data export.
