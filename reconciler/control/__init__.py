"""controller-runtime: informers, work queue, and the executor that performs a Decision's actions."""
