"""The registry: tenants, products, devices, credentials and keys, and every change of them."""
