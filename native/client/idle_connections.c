#include "idle_connections.h"

#include "status.h"

#include <unistd.h>

static signet__connection *take_idle(signet__idle_connections *idle);
static bool is_alive(signet__connection *connection);
static bool is_reusable(const signet__connection *connection);
static bool keep(signet__idle_connections *idle, signet__connection *connection);
static void link_first(signet__connection **list, signet__connection *connection);
static void unlink_from(signet__connection **list, signet__connection *connection);

void signet__idle_init(signet__idle_connections *idle) {
    pthread_mutex_init(&idle->lock, NULL);
    idle->idle = idle->in_use = NULL;
    idle->idle_count = 0;
}

void signet__idle_free(signet__idle_connections *idle) {
    signet__connection *connection;

    while ((connection = take_idle(idle)) != NULL) {
        connection->broken = true;
        signet__idle_check_in(idle, connection);
    }
    pthread_mutex_destroy(&idle->lock);
}

signet__connection *signet__idle_check_out(signet__idle_connections *idle) {
    signet__connection *connection;

    while ((connection = take_idle(idle)) != NULL) {
        if (is_alive(connection))
            return connection;
        signet__idle_check_in(idle, connection);
    }
    return NULL;
}

void signet__idle_add_in_use(signet__idle_connections *idle, signet__connection *connection) {
    pthread_mutex_lock(&idle->lock);
    link_first(&idle->in_use, connection);
    pthread_mutex_unlock(&idle->lock);
}

void signet__idle_check_in(signet__idle_connections *idle, signet__connection *connection) {
    bool kept;

    pthread_mutex_lock(&idle->lock);
    unlink_from(&idle->in_use, connection);
    kept = keep(idle, connection);
    pthread_mutex_unlock(&idle->lock);
    if (!kept)
        signet__connection_free(connection);
}

/*
 * A connection in use is not freed: a thread that forked within a signal handler may still be working with it, and sees
 * fd -1. What other threads had in use, which do not live in the child, is lost memory, bounded by their number.
 */
void signet__idle_forget(signet__idle_connections *idle, bool close_descriptors) {
    signet__connection *connection, *next;

    for (connection = idle->in_use; connection != NULL; connection = next) {
        next = connection->next;
        if (close_descriptors)
            close(connection->fd);
        connection->fd = -1;
        connection->next = connection->previous = NULL;
    }
    for (connection = idle->idle; connection != NULL; connection = next) {
        next = connection->next;
        if (!close_descriptors)
            connection->fd = -1;
        signet__connection_free(connection);
    }
    idle->in_use = idle->idle = NULL;
    idle->idle_count = 0;
}

static signet__connection *take_idle(signet__idle_connections *idle) {
    signet__connection *connection;

    pthread_mutex_lock(&idle->lock);
    connection = idle->idle;
    if (connection != NULL) {
        unlink_from(&idle->idle, connection);
        idle->idle_count--;
        link_first(&idle->in_use, connection);
    }
    pthread_mutex_unlock(&idle->lock);
    return connection;
}

/* Looks whether the service ended the connection, or announced its end, while it lay here: one recv that finds nothing.
 */
static bool is_alive(signet__connection *connection) {
    signet_v1_SignStreamResponse response;
    signet_sign_result unheard;
    unsigned reads = 0;

    while (reads++ < SIGNET__LAST_READS_MAX && signet__connection_fill(connection))
        while (signet__connection_take(connection, &response, &unheard) == SIGNET__TAKE_ANSWER)
            ; /* An answer that nobody waits for. */
    return is_reusable(connection);
}

static bool is_reusable(const signet__connection *connection) {
    return connection->fd >= 0 && !connection->unsendable && !connection->broken && !connection->going_away;
}

static bool keep(signet__idle_connections *idle, signet__connection *connection) {
    if (!is_reusable(connection) || idle->idle_count == SIGNET__IDLE_CONNECTIONS_MAX)
        return false;
    link_first(&idle->idle, connection);
    idle->idle_count++;
    return true;
}

static void link_first(signet__connection **list, signet__connection *connection) {
    connection->previous = NULL;
    connection->next = *list;
    if (*list != NULL)
        (*list)->previous = connection;
    *list = connection;
}

static void unlink_from(signet__connection **list, signet__connection *connection) {
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else if (*list == connection)
        *list = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    connection->next = connection->previous = NULL;
}
