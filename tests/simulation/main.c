/*
 * main.c - runs many worlds, tells the first that fails, and makes its history as small as it can be.
 *
 * Processes: worlds run in a child, so that an assert of the core is a finding like any other; what it found so far is in
 *            shared memory.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/memory.h"
#include "tests/simulation/exhaustive.h"
#include "tests/simulation/plant.h"
#include "tests/simulation/simulation.h"

enum { SAGAS_A_WORLD = 6, PLANT_RUNS_MAX = 10000, TRIALS_MAX = 600 };

static const char *const MODES[] = {"safety", "liveness", "swarm", "exhaustive"};

static const char USAGE[] =
	"usage: tests/simulation/run [--sagas N] [--seed S] [--mode safety|liveness|swarm|exhaustive] [--core]\n"
	"                            [--plant BUG|list] [--plants] [--keep FAULTS] [--replay FILE] [--trace]\n";

struct request {
	struct options options;
	uint64_t sagas;
	enum plant plant;
	bool is_about_plants;
	bool has_kept;    /* only one world, and only these faults */
	const char *save; /* where the options go that repeat a failure; NULL: nowhere */
};

/* What a child has found; in shared memory. */
struct finding {
	uint64_t worlds;
	uint64_t sagas;
	uint64_t seed; /* of the world in hand */
	uint64_t hash;
	uint64_t events;
	size_t fault_count; /* of the world in hand */
	size_t fault_counts[FAULT_COUNT];
	size_t ends[SAGA_STATE_COUNT];
	bool is_failed;
	char failure[400];
	struct options options; /* exhaustive: of the run in hand */
};

static struct finding *finding; /* shared */

/* ---- in the child ---- */
static void take_results(const struct simulation *sim)
{
	finding->worlds++;
	finding->events += sim->events;
	finding->hash = finding->hash * UINT64_C(1099511628211) + sim->hash;
	finding->fault_count = sim->fault_count;
	for (int i = 0; i < FAULT_COUNT; i++)
		finding->fault_counts[i] += sim->fault_counts[i];
	for (int i = 0; i < SAGA_STATE_COUNT; i++) {
		finding->ends[i] += sim->ends[i];
		finding->sagas += sim->ends[i];
	}
	finding->is_failed = sim->is_failed;
	memcpy(finding->failure, sim->failure, sizeof(finding->failure));
}

static void run_worlds(const struct request *request)
{
	struct options options = request->options;
	struct simulation *sim = xcalloc(1, sizeof(*sim));

	plant_set(request->plant);
	shapes_init();
	simulation_init(sim);
	if (options.mode == MODE_EXHAUSTIVE && !options.is_traced) {
		finding->options = options;
		exhaustive_run(sim, &finding->options, take_results);
	}
	while (options.mode != MODE_EXHAUSTIVE && !finding->is_failed && finding->sagas < request->sagas) {
		finding->seed = options.seed;
		simulation_run(sim, &options, SAGAS_A_WORLD);
		take_results(sim);
		options.seed++;
	}
	if (options.mode == MODE_EXHAUSTIVE && options.is_traced)
		simulation_run(sim, &options, 1);
	simulation_release(sim);
	shapes_release();
	free(sim);
}

/* ---- the parent ---- */
static void silence(void)
{
	const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null >= 0)
		(void)dup2(null, STDERR_FILENO); /* else it is only louder */
}

/* True: nothing failed. */
static bool run_child(const struct request *request, bool is_silent)
{
	int status = 0;
	pid_t child;

	memset(finding, 0, sizeof(*finding));
	(void)fflush(stdout);
	child = fork();
	if (child == 0) {
		if (is_silent)
			silence();
		run_worlds(request);
		exit(0); /* as a process of its own: what measures it, writes at its end */
	}
	assert(child > 0);
	while (waitpid(child, &status, 0) < 0)
		assert(errno == EINTR);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return !finding->is_failed;
	finding->is_failed = true;
	(void)snprintf(finding->failure, sizeof(finding->failure), "an assertion of the product failed");
	return false;
}

/* ---- making a failing history smaller ---- */
static bool fails_with(const struct request *request, const bool *is_kept)
{
	struct request trial = *request;

	trial.sagas = 1;
	for (size_t i = 0; i < DROPPED_MAX; i++)
		trial.options.is_dropped[i] = !is_kept[i];
	return !run_child(&trial, true);
}

/* Leaves out so many at a time, wherever it still fails; true: some. */
static bool leave_out(const struct request *request, bool *is_kept, size_t chunk, size_t count, size_t *trials)
{
	bool is_smaller = false;

	for (size_t first = 0; first < count && *trials < TRIALS_MAX; first += chunk) {
		bool before[DROPPED_MAX];
		bool is_any = false;

		memcpy(before, is_kept, sizeof(before));
		for (size_t i = first; i < first + chunk && i < count; i++) {
			is_any |= is_kept[i];
			is_kept[i] = false;
		}
		if (!is_any)
			continue;
		++*trials;
		if (fails_with(request, is_kept))
			is_smaller = true;
		else
			memcpy(is_kept, before, sizeof(before));
	}
	return is_smaller;
}

/* Leaves out halves, quarters … single faults, and those again as long as one could go. */
static size_t minimise(const struct request *request, bool *is_kept, size_t count)
{
	size_t trials = 0;
	size_t left = 0;

	for (size_t chunk = (count + 1) / 2; chunk > 1; chunk = (chunk + 1) / 2)
		(void)leave_out(request, is_kept, chunk, count, &trials); /* smaller or not, smaller chunks follow */
	while (leave_out(request, is_kept, 1, count, &trials))
		;
	for (size_t i = 0; i < count; i++)
		left += is_kept[i];
	return left;
}

static void print_options(FILE *file, const struct request *request, const bool *is_kept)
{
	const char *comma = "";

	(void)fprintf(file, "--seed %" PRIu64 " --mode %s --sagas 1%s", request->options.seed,
		      MODES[request->options.mode], request->options.is_core ? " --core" : "");
	if (request->plant != PLANT_NONE)
		(void)fprintf(file, " --plant %s", plant_word(request->plant));
	if (is_kept) {
		(void)fprintf(file, " --keep ");
		for (size_t i = 0; i < DROPPED_MAX; i++)
			if (is_kept[i]) {
				(void)fprintf(file, "%s%zu", comma, i);
				comma = ",";
			}
		if (!*comma)
			(void)fprintf(file, "none");
	}
	(void)fprintf(file, "\n");
}

static void save(const struct request *request, const bool *is_kept)
{
	FILE *file = request->save ? fopen(request->save, "we") : NULL;

	if (!file)
		return; /* it is printed as well */
	print_options(file, request, is_kept);
	(void)fclose(file);
}

/* The faults of a run of the exhaustive mode are as few as they can be. */
static void explain_exhaustive(const struct request *request)
{
	struct request failing = *request;

	printf("FAILED: %s\nits trace (%zu faults):\n", finding->failure, finding->options.chosen_count);
	failing.options = finding->options;
	failing.options.is_traced = true;
	(void)run_child(&failing, false); /* as below */
}

static void explain(const struct request *request)
{
	struct request failing = *request;
	bool is_kept[DROPPED_MAX] = {false};
	size_t count = DROPPED_MAX;
	size_t left;

	failing.options.seed = finding->seed;
	failing.sagas = 1;
	printf("FAILED with seed %" PRIu64 ": %s\nreplay:    tests/simulation/run ", finding->seed, finding->failure);
	print_options(stdout, &failing, NULL);
	for (size_t i = 0; i < count; i++)
		is_kept[i] = !request->options.is_dropped[i];
	left = minimise(&failing, is_kept, count);
	printf("minimised: tests/simulation/run ");
	print_options(stdout, &failing, is_kept);
	save(&failing, is_kept);
	printf("its trace (%zu faults are enough):\n", left);
	for (size_t i = 0; i < DROPPED_MAX; i++)
		failing.options.is_dropped[i] = !is_kept[i];
	failing.options.is_traced = true;
	(void)run_child(&failing, false); /* it fails again: that is what is shown */
}

/* ---- all plants ---- */
static int find_plants(const struct request *request)
{
	int code = 0;

	for (int i = PLANT_NONE + 1; i < PLANT_COUNT; i++) {
		struct request one = *request;

		one.plant = (enum plant)i;
		one.options.mode = MODE_SWARM;
		one.sagas = (uint64_t)PLANT_RUNS_MAX * SAGAS_A_WORLD;
		if (run_child(&one, true)) {
			printf("NOT FOUND  %-20s %s\n", plant_word(one.plant), plant_text(one.plant));
			code = 1;
			continue;
		}
		printf("found  %-20s after %6" PRIu64 " runs: %s\n", plant_word(one.plant), finding->worlds,
		       finding->failure);
	}
	return code;
}

/* ---- what is asked ---- */
static int complain(const char *what, const char *value)
{
	(void)fprintf(stderr, "tests/simulation/run: %s: %s\n%s", what, value, USAGE);
	return 2;
}

static bool read_number(const char *text, uint64_t *ret_number)
{
	char *end = NULL;

	errno = 0;
	*ret_number = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == 0 && errno == 0;
}

/* "3,17,40" or "none": the faults that happen. */
static bool read_kept(const char *text, struct request *request)
{
	for (size_t i = 0; i < DROPPED_MAX; i++)
		request->options.is_dropped[i] = true;
	request->has_kept = true;
	if (strcmp(text, "none") == 0)
		return true;
	while (*text) {
		char *end = NULL;
		const unsigned long number = strtoul(text, &end, 10);

		if (end == text || (*end && *end != ',') || number >= DROPPED_MAX)
			return false;
		request->options.is_dropped[number] = false;
		text = *end ? end + 1 : end;
	}
	return true;
}

static bool read_mode(const char *text, enum mode *ret_mode)
{
	for (size_t i = 0; i < ARRAY_LEN(MODES); i++) {
		if (strcmp(text, MODES[i]) == 0) {
			*ret_mode = (enum mode)i;
			return true;
		}
	}
	return false;
}

static bool read_plant(const char *text, enum plant *ret_plant)
{
	for (int i = 1; i < PLANT_COUNT; i++) {
		if (strcmp(text, plant_word((enum plant)i)) == 0) {
			*ret_plant = (enum plant)i;
			return true;
		}
	}
	return false;
}

static void list_plants(void)
{
	for (int i = 1; i < PLANT_COUNT; i++)
		printf("%-20s %s\n", plant_word((enum plant)i), plant_text((enum plant)i));
}

/* -1: go on; else the exit code. */
static int read_options(int argc, char **argv, struct request *request)
{
	static const struct option known[] = {{"sagas", required_argument, NULL, 'n'},
					      {"seed", required_argument, NULL, 's'},
					      {"mode", required_argument, NULL, 'm'},
					      {"plant", required_argument, NULL, 'p'},
					      {"plants", no_argument, NULL, 'P'},
					      {"keep", required_argument, NULL, 'k'},
					      {"save", required_argument, NULL, 'S'},
					      {"core", no_argument, NULL, 'c'},
					      {"trace", no_argument, NULL, 't'},
					      {"help", no_argument, NULL, 'h'},
					      {0}};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		if (option == 'n' && !read_number(optarg, &request->sagas))
			return complain("not a number of sagas", optarg);
		if (option == 's' && !read_number(optarg, &request->options.seed))
			return complain("not a seed", optarg);
		if (option == 'm' && !read_mode(optarg, &request->options.mode))
			return complain("not a mode", optarg);
		if (option == 'p' && strcmp(optarg, "list") == 0)
			return list_plants(), 0;
		if (option == 'p' && !read_plant(optarg, &request->plant))
			return complain("not a planted bug (see --plant list)", optarg);
		if (option == 'k' && !read_kept(optarg, request))
			return complain("not a list of faults", optarg);
		if (option == '?' || option == 'h')
			return fputs(USAGE, option == 'h' ? stdout : stderr), option == 'h' ? 0 : 2;
		if (option == 'S')
			request->save = optarg;
		request->is_about_plants |= option == 'P';
		request->options.is_core |= option == 'c';
		request->options.is_traced |= option == 't';
	}
	return optind < argc ? complain("not an option", argv[optind]) : -1;
}

static double seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail on Linux */
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void tell(double took_s)
{
	printf("%" PRIu64 " sagas in %" PRIu64 " worlds, %" PRIu64
	       " events: completed %zu, compensated %zu, failed %zu, "
	       "stuck %zu; %.1f s, %.0f sagas/s\nhash %016" PRIx64 "\n",
	       finding->sagas, finding->worlds, finding->events, finding->ends[SAGA_STATE_COMPLETED],
	       finding->ends[SAGA_STATE_COMPENSATED], finding->ends[SAGA_STATE_FAILED], finding->ends[SAGA_STATE_STUCK],
	       took_s, (double)finding->sagas / took_s, finding->hash);
	for (int i = 0; i < FAULT_COUNT; i++)
		if (finding->fault_counts[i])
			printf("%10zu  %s\n", finding->fault_counts[i], fault_text((enum fault)i));
}

int main(int argc, char **argv)
{
	struct request request = {.sagas = 20000, .options = {.seed = 1, .mode = MODE_SWARM}};
	const double begun_s = seconds();
	const int code = read_options(argc, argv, &request);

	if (code >= 0)
		return code;
	if (request.has_kept)
		request.sagas = 1;
	finding = mmap(NULL, sizeof(*finding), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(finding != MAP_FAILED);
	if (request.is_about_plants)
		return find_plants(&request);
	if (run_child(&request, false)) {
		tell(seconds() - begun_s);
		return 0;
	}
	if (request.options.is_traced)
		printf("FAILED: %s\n", finding->failure);
	else if (request.options.mode == MODE_EXHAUSTIVE)
		explain_exhaustive(&request);
	else
		explain(&request);
	return 1;
}
