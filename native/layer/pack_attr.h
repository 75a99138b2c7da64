/* SPDX-License-Identifier: Apache-2.0
 * The extended attributes that go into a layer: security.capability and user.*, sorted by name. */
#ifndef WHERRY_LAYER_PACK_ATTR_H
#define WHERRY_LAYER_PACK_ATTR_H

#include "layer/pax.h"

struct attrs {
	bool opaque; /* trusted.overlay.opaque=y: the folder hides the lower one */
	struct xattr list[PAX_XATTRS_MAX];
	size_t count;
	char *names, *values; /* owned, used again for the next file */
};

/* Of name in the folder that `parent` is. Replaces what was there. */
int attrs_read(struct attrs *attrs, int parent, const char *name, struct err *e);
void attrs_free(struct attrs *attrs);

#endif
