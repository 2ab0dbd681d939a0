/* process_metrics.c - see process_metrics.h. */
#include "lib/metrics/process_metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static void print_one(struct buffer *out, const char *name, const char *type, const char *help, double value)
{
	buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name, value);
}

static void print_cpu(struct buffer *out)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) != 0)
		return;
	print_one(out, "process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.",
		  (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			  (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

/* Fields 20 (threads), 22 (start in ticks after boot), 23 (virtual bytes) and 24 (resident pages) of proc(5)'s stat; the
 * name in field 2 may hold anything, so reading begins after its closing bracket. */
static void print_stat(struct buffer *out)
{
	char text[1024];
	char *at;
	FILE *file = fopen("/proc/self/stat", "re");
	size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	long threads;
	unsigned long long virtual_bytes;
	long long resident_pages;

	if (file)
		(void)fclose(file); /* only read from */
	text[len] = 0;
	at = strrchr(text, ')');
	if (!at ||
	    sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d %*u %llu %lld",
		   &threads, &virtual_bytes, &resident_pages) != 3)
		return;
	print_one(out, "process_threads", "gauge", "Number of OS threads.", (double)threads);
	print_one(out, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", (double)virtual_bytes);
	print_one(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
		  (double)resident_pages * (double)sysconf(_SC_PAGESIZE));
}

static void print_files(struct buffer *out)
{
	struct rlimit limit;
	DIR *folder = opendir("/proc/self/fd");
	int count = -3; /* ".", ".." and the descriptor that reads the folder */

	if (folder) {
		while (readdir(folder))
			count++;
		(void)closedir(folder); /* only read from */
		print_one(out, "process_open_fds", "gauge", "Number of open file descriptors.", count);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		print_one(out, "process_max_fds", "gauge", "Maximum number of open file descriptors.",
			  (double)limit.rlim_cur);
}

void process_metrics_print(struct buffer *out)
{
	print_cpu(out);
	print_stat(out);
	print_files(out);
}
