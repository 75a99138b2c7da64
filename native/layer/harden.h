/* SPDX-License-Identifier: Apache-2.0
 * Takes from the unpacking process what it does not need: capabilities, new privileges, other files
 * (Landlock), other system calls (seccomp). A kernel without one of them goes without it; the path rules of
 * tree.c hold alone. */
#ifndef WHERRY_LAYER_HARDEN_H
#define WHERRY_LAYER_HARDEN_H

#include "shared/error.h"

#define HARDEN_LANDLOCK 1u
#define HARDEN_SECCOMP	2u

/* Nothing outside of `root` can be opened any more, no program started, no socket made. Returns the HARDEN_
 * bits of what the kernel gave; never fails. Call it when all other descriptors are open. */
unsigned harden(int root);

#endif
