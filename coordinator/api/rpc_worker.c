/* rpc_worker.c - see rpc_worker.h. */
#include "coordinator/api/rpc_worker.h"

#include <assert.h>
#include <pthread.h>

#include "lib/base/memory.h"

struct rpc_worker {
	pthread_t thread;
	pthread_mutex_t mu;
	pthread_cond_t changed;
	struct rpc_job *first; /* guarded by mu, as all below */
	struct rpc_job **end;
	size_t count;
	size_t count_max;
	bool is_stopping;
	bool is_joined; /* the owner's */
};

static struct rpc_job *take(struct rpc_worker *worker)
{
	struct rpc_job *job;

	pthread_mutex_lock(&worker->mu);
	while (!worker->first && !worker->is_stopping)
		pthread_cond_wait(&worker->changed, &worker->mu);
	job = worker->first;
	if (job) {
		worker->first = job->next;
		if (!worker->first)
			worker->end = &worker->first;
		worker->count--;
	}
	pthread_mutex_unlock(&worker->mu);
	return job;
}

static void *run(void *ctx)
{
	struct rpc_worker *worker = ctx;

	for (struct rpc_job *job = take(worker); job; job = take(worker))
		job->run(job);
	return NULL;
}

struct rpc_worker *rpc_worker_new(size_t queue_max)
{
	struct rpc_worker *worker = xcalloc(1, sizeof(*worker));
	int rc;

	worker->end = &worker->first;
	worker->count_max = queue_max;
	pthread_mutex_init(&worker->mu, NULL);
	pthread_cond_init(&worker->changed, NULL);
	rc = pthread_create(&worker->thread, NULL, run, worker);
	assert(rc == 0);
	pthread_setname_np(worker->thread, "rpc-worker");
	return worker;
}

bool rpc_worker_add(struct rpc_worker *worker, struct rpc_job *job)
{
	bool is_taken;

	job->next = NULL;
	pthread_mutex_lock(&worker->mu);
	is_taken = !worker->is_stopping && worker->count < worker->count_max;
	if (is_taken) {
		*worker->end = job;
		worker->end = &job->next;
		worker->count++;
		pthread_cond_signal(&worker->changed);
	}
	pthread_mutex_unlock(&worker->mu);
	return is_taken;
}

void rpc_worker_stop(struct rpc_worker *worker)
{
	pthread_mutex_lock(&worker->mu);
	worker->is_stopping = true;
	pthread_cond_signal(&worker->changed);
	pthread_mutex_unlock(&worker->mu);
	pthread_join(worker->thread, NULL);
	worker->is_joined = true;
}

void rpc_worker_free(struct rpc_worker *worker)
{
	if (!worker)
		return;
	if (!worker->is_joined)
		rpc_worker_stop(worker);
	pthread_cond_destroy(&worker->changed);
	pthread_mutex_destroy(&worker->mu);
	free(worker);
}
