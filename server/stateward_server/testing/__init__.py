"""The testing kit: time and chance in a test's hands, stand-ins for what is slow, suites for every port."""
