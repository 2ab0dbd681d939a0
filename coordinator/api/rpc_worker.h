/*
 * rpc_worker.h - one thread for handlers that block on database or registry, with a bounded queue before it.
 *
 * Threads:    rpc_worker_add() from any; jobs run one after another on the worker's own.
 * Ownership:  a job's memory is its maker's, from when it runs.
 */
#ifndef COORDINATOR_API_RPC_WORKER_H
#define COORDINATOR_API_RPC_WORKER_H

#include <stdbool.h>
#include <stddef.h>

struct rpc_job {
	void (*run)(struct rpc_job *job);
	struct rpc_job *next;
};

struct rpc_worker;

struct rpc_worker *rpc_worker_new(size_t queue_max);
bool rpc_worker_add(struct rpc_worker *worker, struct rpc_job *job); /* false: full or stopped, it will not run */
void rpc_worker_stop(struct rpc_worker *worker); /* once; the jobs that wait run before it returns, no others do */
void rpc_worker_free(struct rpc_worker *worker); /* stops it where nobody did; nobody may add any more */

#endif
