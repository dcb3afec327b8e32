"""CI server of the embedded driver and the `ci` toolbox that builds use."""
