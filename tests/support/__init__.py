"""What tests and the demo stand on: a world of namespaces with real users, packets, daemons."""
