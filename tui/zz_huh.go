package tui

import _ "charm.land/huh/v2"
