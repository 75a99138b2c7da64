/* SPDX-License-Identifier: Apache-2.0
 * See seal.h. The copy is a memfd with all seals; /proc/<pid>/exe of it can be opened by a container, and
 * written by nobody. */
#include "run/seal.h"
#include "run/kernel.h"
#include "shared/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

extern char **environ;

int seal_self(char **argv, struct err *e)
{
	fd_auto int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	fd_auto int copy = -1;
	struct stat st;
	off_t done = 0;

	if (self < 0 || fstat(self, &st) != 0)
		return err_set(e, ERR_SYSTEM, errno, "open /proc/self/exe (is /proc mounted?)");
	if ((fcntl(self, F_GET_SEALS) & SEALS) == SEALS && fcntl(self, F_GET_SEALS) >= 0)
		return 0;
	/* 0x10 = MFD_EXEC, which kernels before 6.3 refuse. */
	copy = memfd_create("wherry-run", MFD_CLOEXEC | MFD_ALLOW_SEALING | 0x10u);
	if (copy < 0 && errno == EINVAL)
		copy = memfd_create("wherry-run", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (copy < 0)
		return err_set(e, ERR_SYSTEM, errno, "memfd_create for the copy of this program");
	while (done < st.st_size) {
		ssize_t n = sendfile(copy, self, &done, (size_t)(st.st_size - done));

		if (n <= 0)
			return err_set(e, ERR_SYSTEM, errno, "copy this program into memory");
	}
	if (fcntl(copy, F_ADD_SEALS, SEALS) != 0)
		return err_set(e, ERR_SYSTEM, errno, "seal the copy of this program");
	syscall(SYS_execveat, copy, "", argv, environ, K_AT_EMPTY_PATH);
	return err_set(e, ERR_SYSTEM, errno, "execute the copy of this program");
}
