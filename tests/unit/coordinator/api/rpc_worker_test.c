/* rpc_worker_test.c - which jobs run, and which are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "coordinator/api/rpc_worker.h"

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* a job runs while it is open */
static int runs;                                         /* the worker's, until it is joined */

static void run(struct rpc_job *job)
{
	(void)job;
	pthread_mutex_lock(&gate);
	runs++;
	pthread_mutex_unlock(&gate);
}

static void a_full_queue_refuses(void **unused)
{
	struct rpc_worker *worker = rpc_worker_new(2);
	struct rpc_job jobs[4] = {{run, NULL}, {run, NULL}, {run, NULL}, {run, NULL}};
	int taken = 0;

	(void)unused;
	runs = 0;
	pthread_mutex_lock(&gate);
	for (int i = 0; i < 4; i++)
		taken += rpc_worker_add(worker, &jobs[i]);
	pthread_mutex_unlock(&gate);
	rpc_worker_free(worker);
	assert_in_range(taken, 2, 3); /* the first one is in hand, or waits as well */
	assert_int_equal(runs, taken);
}

/* gRPC hands over calls until its queue has ended, which is after the worker's last job. */
static void a_stopped_worker_runs_what_waits_and_refuses_what_comes(void **unused)
{
	struct rpc_worker *worker = rpc_worker_new(8);
	struct rpc_job before = {run, NULL};
	struct rpc_job after = {run, NULL};

	(void)unused;
	runs = 0;
	assert_true(rpc_worker_add(worker, &before));
	rpc_worker_stop(worker);
	assert_int_equal(runs, 1);
	assert_false(rpc_worker_add(worker, &after));
	rpc_worker_free(worker);
	assert_int_equal(runs, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_queue_refuses),
		cmocka_unit_test(a_stopped_worker_runs_what_waits_and_refuses_what_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
