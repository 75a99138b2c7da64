/* SPDX-License-Identifier: Apache-2.0
 * See inflow.h. Holds IN_BYTES and the decompressor. */
#include "layer/inflow.h"
#include "layer/headers.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

#define IN_BYTES ((size_t)32 * 1024)

struct inflow {
	int fd;
	uint64_t at, left, taken;
	ZSTD_DCtx *zstd;
	ZSTD_inBuffer in;
	uint8_t bytes[IN_BYTES];
};

int inflow_open(struct inflow **out, int fd, uint64_t at, uint64_t length, struct err *e)
{
	struct inflow *flow = calloc(1, sizeof(*flow));
	if (flow == NULL)
		return err_set(e, ERR_MEMORY, 0, "headers file");
	*flow = (struct inflow){.fd = fd, .at = at, .left = length};
	flow->in.src = flow->bytes;
	flow->zstd = ZSTD_createDCtx();
	if (flow->zstd == NULL ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(flow->zstd, ZSTD_d_windowLogMax, HEADERS_WINDOW_LOG))) {
		inflow_close(flow);
		return err_set(e, ERR_MEMORY, 0, "headers file");
	}
	*out = flow;
	return 0;
}

static int fill(struct inflow *flow, struct err *e)
{
	size_t step = flow->left < IN_BYTES ? (size_t)flow->left : IN_BYTES;
	ssize_t got;
	do {
		got = pread(flow->fd, flow->bytes, step, (off_t)flow->at);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_set(e, ERR_SYSTEM, errno, "headers file");
	if (got == 0)
		return err_set(e, ERR_STREAM, 0, "headers file: a chunk is cut short");
	flow->at += (uint64_t)got;
	flow->left -= (uint64_t)got;
	flow->in.pos = 0;
	flow->in.size = (size_t)got;
	return 0;
}

int inflow_take(struct inflow *flow, void *bytes, size_t length, struct err *e)
{
	ZSTD_outBuffer out = {bytes, length, 0};
	while (out.pos < out.size) {
		size_t before = out.pos;
		size_t got = ZSTD_decompressStream(flow->zstd, &out, &flow->in);
		if (ZSTD_isError(got))
			return err_set(e, ERR_STREAM, 0, "headers file: %s", ZSTD_getErrorName(got));
		if (out.pos == before && flow->in.pos == flow->in.size && fill(flow, e) != 0)
			return -1;
	}
	flow->taken += length;
	return 0;
}

int inflow_skip(struct inflow *flow, uint64_t length, struct err *e)
{
	uint8_t nothing[4096];
	while (length > 0) {
		size_t step = length < sizeof(nothing) ? (size_t)length : sizeof(nothing);
		if (inflow_take(flow, nothing, step, e) != 0)
			return -1;
		length -= step;
	}
	return 0;
}

uint64_t inflow_taken(const struct inflow *flow)
{
	return flow->taken;
}

void inflow_close(struct inflow *flow)
{
	if (flow == NULL)
		return;
	ZSTD_freeDCtx(flow->zstd);
	free(flow);
}
