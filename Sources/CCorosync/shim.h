#pragma once
// The client libraries share <corosync/corotypes.h>, so they are one module: as several, cs_error_t would be several types.
#include <stdint.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <sys/uio.h>
#include <corosync/corotypes.h>
#include <corosync/cfg.h>
#include <corosync/cmap.h>
#include <corosync/cpg.h>
#include <corosync/votequorum.h>
