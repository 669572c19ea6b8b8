/* The ways in: the function lists of 2.40 and 3.0. These three are the only symbols that go out (signet.map). */
#include "cryptoki.h"
#include "library.h"

#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

#define SERVED(name) .name = name,
#define REFUSED(name, parameters) .name = name,
#define SERVED_3_0(name, parameters)
#define REFUSED_3_0(name, parameters)
static CK_FUNCTION_LIST list_2_40 = {
    .version = {2, 40},
#include "functions.def"
};

static signet__function_list_3_0 list_3_0 = {
#define SERVED(name) .functions_2_40.name = name,
#define REFUSED(name, parameters) .functions_2_40.name = name,
#define SERVED_3_0(name, parameters) .name = name,
#define REFUSED_3_0(name, parameters) .name = name,
#include "functions.def"
    .functions_2_40.version = {3, 0},
};

/* The preferred one first. A fork is tolerated: the child has a copy of everything, and a connection of its own. */
static CK_INTERFACE interfaces[] = {
    {(CK_UTF8CHAR *)"PKCS 11", &list_3_0, CKF_INTERFACE_FORK_SAFE},
    {(CK_UTF8CHAR *)"PKCS 11", &list_2_40, CKF_INTERFACE_FORK_SAFE},
};
#define INTERFACES (sizeof interfaces / sizeof interfaces[0])

EXPORTED CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list) {
    if (list == NULL)
        return CKR_ARGUMENTS_BAD;
    *list = &list_2_40;
    return CKR_OK;
}

EXPORTED CK_RV C_GetInterfaceList(CK_INTERFACE *list, CK_ULONG *count) {
    CK_ULONG room;

    if (count == NULL)
        return CKR_ARGUMENTS_BAD;
    room = *count;
    *count = INTERFACES;
    if (list == NULL)
        return CKR_OK;
    if (room < INTERFACES)
        return CKR_BUFFER_TOO_SMALL;
    memcpy(list, interfaces, sizeof interfaces);
    return CKR_OK;
}

EXPORTED CK_RV C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **found, CK_FLAGS flags) {
    if (found == NULL)
        return CKR_ARGUMENTS_BAD;
    for (size_t i = 0; i < INTERFACES; i++) {
        /* Both lists begin with their version. */
        const CK_VERSION *offered = interfaces[i].pFunctionList;

        if (name != NULL && strcmp((const char *)name, (const char *)interfaces[i].pInterfaceName) != 0)
            continue;
        if (version != NULL && (version->major != offered->major || version->minor != offered->minor))
            continue;
        if ((flags & ~interfaces[i].flags) != 0)
            continue;
        *found = &interfaces[i];
        return CKR_OK;
    }
    return CKR_FUNCTION_FAILED;
}
