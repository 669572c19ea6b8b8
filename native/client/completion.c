#include "completion.h"

#include <stdlib.h>

static void call(signet__shared *shared, signet_pending *pending);
static signet_pending *first_uncalled(const signet__shared *shared);
static bool is_calling_itself(const signet_pending *pending);
static void unlink_from(signet_pending **list, signet_pending *pending);

void signet__completion_await(signet__shared *shared, signet_pending *pending) {
    pending->shared = shared;
    pending->state = SIGNET__PENDING_WAITING;
    shared->holders++;
    pending->next = NULL;
    pending->previous = shared->waiting_last;
    if (pending->previous != NULL)
        pending->previous->next = pending;
    else
        shared->waiting = pending;
    shared->waiting_last = pending;
}

void signet__completion_complete(signet__shared *shared, signet_pending *pending) {
    signet__completion_withdraw(shared, pending);
    pending->state = SIGNET__PENDING_CALLING;
    pending->caller = pthread_self();
    pending->next = shared->calling;
    if (pending->next != NULL)
        pending->next->previous = pending;
    shared->calling = pending;
}

void signet__completion_withdraw(signet__shared *shared, signet_pending *pending) {
    signet__completion_detach(pending);
    if (shared->waiting_last == pending)
        shared->waiting_last = pending->previous;
    unlink_from(&shared->waiting, pending);
    pending->state = SIGNET__PENDING_DONE;
}

void signet__completion_detach(signet_pending *pending) {
    if (pending->lane != NULL)
        signet__lane_detach(pending->lane, pending->id);
    pending->lane = NULL;
}

void signet__completion_forget(signet__shared *shared) {
    while (shared->calling != NULL) {
        shared->calling->state = SIGNET__PENDING_DONE;
        unlink_from(&shared->calling, shared->calling);
    }
}

void signet__completion_call(signet__shared *shared) {
    signet_pending *pending;

    pthread_mutex_lock(&shared->lock);
    while ((pending = first_uncalled(shared)) != NULL)
        call(shared, pending);
    pthread_mutex_unlock(&shared->lock);
}

void signet__completion_await_call(signet_pending *pending) {
    while (pending->state != SIGNET__PENDING_DONE && !is_calling_itself(pending))
        pthread_cond_wait(&pending->shared->called, &pending->shared->lock);
}

void signet__completion_release(signet_pending *pending) {
    signet__shared *shared = pending->shared;
    bool last = false;

    if (is_calling_itself(pending)) {
        pending->released = true;
    } else {
        free(pending);
        last = --shared->holders == 0;
    }
    pthread_mutex_unlock(&shared->lock);
    if (last)
        signet__shared_destroy(shared);
}

static void call(signet__shared *shared, signet_pending *pending) {
    pending->called = true;
    if (!pending->released) {
        pthread_mutex_unlock(&shared->lock);
        pending->done(pending->arg);
        pthread_mutex_lock(&shared->lock);
    }
    unlink_from(&shared->calling, pending);
    pending->state = SIGNET__PENDING_DONE;
    if (pending->released) {
        /* Never the last holder: whoever lets `done` be called holds the client, its reader or its owner. */
        free(pending);
        shared->holders--;
    }
    pthread_cond_broadcast(&shared->called);
}

static signet_pending *first_uncalled(const signet__shared *shared) {
    signet_pending *pending = shared->calling;

    while (pending != NULL && (pending->called || !is_calling_itself(pending)))
        pending = pending->next;
    return pending;
}

static bool is_calling_itself(const signet_pending *pending) {
    return pending->state == SIGNET__PENDING_CALLING && pthread_equal(pending->caller, pthread_self());
}

static void unlink_from(signet_pending **list, signet_pending *pending) {
    if (pending->previous != NULL)
        pending->previous->next = pending->next;
    else
        *list = pending->next;
    if (pending->next != NULL)
        pending->next->previous = pending->previous;
    pending->next = pending->previous = NULL;
}
