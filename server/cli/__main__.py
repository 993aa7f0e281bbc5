"""`python -m terrafine.server.cli`: the `terrafine` command where it is not on the PATH."""

from terrafine.server.cli import main

raise SystemExit(main())
