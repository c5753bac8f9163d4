/* What the gzip command and Go's compress/gzip make of our streams, and we of theirs. */
#include "plugins/compress-gzip/tests/rig.h"
#include "core/base/io.h"
#include "tests/support/unit.h"
