/* SPDX-License-Identifier: Apache-2.0
 * See pack_attr.h. The buffers have the kernel's own bounds and are made once. */
#include "layer/pack_attr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NAMES_BYTES  ((size_t)64 * 1024) /* XATTR_LIST_MAX */
#define VALUES_BYTES PAX_BYTES_MAX	 /* of one file, all together */

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct xattr *)left)->name, ((const struct xattr *)right)->name);
}

static int put(struct attrs *attrs, const char *file, const char *key, size_t *used, struct err *e)
{
	bool is_opaque = strcmp(key, "trusted.overlay.opaque") == 0;
	if (!is_opaque && strcmp(key, "security.capability") != 0 && strncmp(key, "user.", 5) != 0)
		return 0;
	char *value = attrs->values + *used;
	ssize_t got = lgetxattr(file, key, value, VALUES_BYTES - *used);
	if (got < 0)
		return err_set(e, errno == ERANGE ? ERR_LIMIT : ERR_SYSTEM, errno, "attribute %.60s", key);
	if (is_opaque) {
		attrs->opaque = got == 1 && value[0] == 'y';
		return 0;
	}
	if (attrs->count == PAX_XATTRS_MAX)
		return err_set(e, ERR_LIMIT, 0, "more than %d attributes", PAX_XATTRS_MAX);
	attrs->list[attrs->count++] = (struct xattr){key, value, (size_t)got};
	*used += (size_t)got;
	return 0;
}

int attrs_read(struct attrs *attrs, int parent, const char *name, struct err *e)
{
	attrs->opaque = false;
	attrs->count = 0;
	if (attrs->names == NULL)
		attrs->names = malloc(NAMES_BYTES);
	if (attrs->values == NULL)
		attrs->values = malloc(VALUES_BYTES);
	if (attrs->names == NULL || attrs->values == NULL)
		return err_set(e, ERR_MEMORY, 0, "attributes");
	if (fchdir(parent) != 0)
		return err_set(e, ERR_SYSTEM, errno, "folder");
	ssize_t length = llistxattr(name, attrs->names, NAMES_BYTES);
	if (length < 0)
		return errno == ENOTSUP ? 0 : err_set(e, ERR_SYSTEM, errno, "attributes");
	size_t used = 0;
	for (const char *key = attrs->names; key < attrs->names + length; key += strlen(key) + 1) {
		if (put(attrs, name, key, &used, e) != 0)
			return -1;
	}
	if (attrs->count > 1)
		qsort(attrs->list, attrs->count, sizeof(attrs->list[0]), by_name);
	return 0;
}

void attrs_free(struct attrs *attrs)
{
	free(attrs->names);
	free(attrs->values);
}
