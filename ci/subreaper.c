/* SPDX-License-Identifier: MIT */
/*
 * subreaper COMMAND…: run COMMAND and be the parent of every orphan below it.
 *
 * libvirtd starts QEMU as a daemon and waits until its process id is gone. In
 * a container whose first process does not collect orphans at once, that id
 * stays for minutes and libvirtd with it. Under this program it does not, and
 * nothing that COMMAND started outlives it: ends with COMMAND's status, or
 * when asked to (SIGTERM, SIGINT) or when its own parent dies.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SUBREAPER_GRACE_MS	5000	/* between SIGTERM and SIGKILL */

static volatile pid_t subreaper_main;

static void subreaper_pass_on(int sig)
{
	if (subreaper_main > 0)
		kill(subreaper_main, sig);
}

/* Is pid a child of ours? proc(5): "pid (name) state ppid", any byte in name. */
static bool subreaper_is_child(int pid)
{
	char path[32], line[256], *p;
	int ppid = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return false;
	p = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	return p && sscanf(p, ") %*c %d", &ppid) == 1 && ppid == getpid();
}

static void subreaper_signal_children(int sig)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;

	if (!proc)
		return;
	while ((e = readdir(proc)))
		if (subreaper_is_child(atoi(e->d_name)))
			kill(atoi(e->d_name), sig);
	closedir(proc);
}

/* Collect what has ended. False: no children are left. */
static bool subreaper_collect(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		;
	return pid == 0;
}

/*
 * End the orphans. Ending one hands us its children, so ask again in each
 * round; the last rounds do not ask.
 */
static void subreaper_sweep(void)
{
	const struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };
	int ms;

	for (ms = 0; ms < 2 * SUBREAPER_GRACE_MS && subreaper_collect(); ms += 50) {
		subreaper_signal_children(ms < SUBREAPER_GRACE_MS ? SIGTERM
								  : SIGKILL);
		nanosleep(&pause, NULL);
	}
}

static int subreaper_wait(void)
{
	int status;
	pid_t pid;

	for (;;) {
		pid = waitpid(-1, &status, 0);
		if (pid < 0 && errno != EINTR)
			return EXIT_FAILURE;
		if (pid == subreaper_main)
			break;
	}
	subreaper_main = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status)
				 : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	int status;

	if (argc < 2) {
		fprintf(stderr, "usage: subreaper COMMAND…\n");
		return EXIT_FAILURE;
	}
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) ||
	    prctl(PR_SET_PDEATHSIG, SIGTERM)) {
		perror("subreaper");
		return EXIT_FAILURE;
	}
	subreaper_main = fork();
	if (subreaper_main < 0) {
		perror("subreaper");
		return EXIT_FAILURE;
	}
	if (!subreaper_main) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		execvp(argv[1], argv + 1);
		perror(argv[1]);
		_exit(127);
	}
	signal(SIGTERM, subreaper_pass_on);
	signal(SIGINT, subreaper_pass_on);
	status = subreaper_wait();
	subreaper_sweep();
	return status;
}
