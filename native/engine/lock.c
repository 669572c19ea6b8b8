#include "lock.h"
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void handle_forks(void) {
    pthread_atfork(signet__lock, signet__unlock, signet__unlock);
}

void signet__lock_minds_forks(void) {
    pthread_once(&once, handle_forks);
}

void signet__lock(void) {
    pthread_mutex_lock(&mutex);
}

void signet__unlock(void) {
    pthread_mutex_unlock(&mutex);
}
