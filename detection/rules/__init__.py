"""Rules over readings: columns in, anomalies and alerts out, whatever the batching."""
