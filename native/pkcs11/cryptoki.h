/* PKCS#11 2.40 as p11-kit's header has it, and what the module needs of 3.0, which that header lacks before p11-kit
 * 0.25. */
#ifndef SIGNET_PKCS11_CRYPTOKI_H
#define SIGNET_PKCS11_CRYPTOKI_H

#include <p11-kit/pkcs11.h>

#ifndef CKF_INTERFACE_FORK_SAFE
#define CKF_INTERFACE_FORK_SAFE 0x00000001UL

typedef struct {
    CK_UTF8CHAR *pInterfaceName;
    void *pFunctionList;
    CK_FLAGS flags;
} CK_INTERFACE;

CK_RV C_GetInterfaceList(CK_INTERFACE *list, CK_ULONG *count);
CK_RV C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **found, CK_FLAGS flags);
#endif

#ifndef CKA_UNIQUE_ID
#define CKA_UNIQUE_ID 0x00000004UL
#endif
#ifndef CKR_OPERATION_CANCEL_FAILED
#define CKR_OPERATION_CANCEL_FAILED 0x00000202UL
#endif
/* PKCS#11 3.0 section 2.3.5: what CKM_EDDSA may have as its parameter. */
typedef struct {
    CK_BBOOL phFlag;
    CK_ULONG ulContextDataLen;
    CK_BYTE *pContextData;
} signet__eddsa_params;

/* The functions that 3.0 added, but for the two above; their parameters are in functions.def. */
#define SERVED(name)
#define REFUSED(name, parameters)
#define SERVED_3_0(name, parameters) typedef CK_RV(*signet__##name) parameters;
#define REFUSED_3_0(name, parameters)                                                                                  \
    typedef CK_RV(*signet__##name) parameters;                                                                         \
    CK_RV name parameters;
#include "functions.def"

/* CK_FUNCTION_LIST_3_0: that of 2.40 with its version, then the new ones in their order. */
typedef struct {
    CK_FUNCTION_LIST functions_2_40;
#define SERVED(name)
#define REFUSED(name, parameters)
#define SERVED_3_0(name, parameters) signet__##name name;
#define REFUSED_3_0(name, parameters) signet__##name name;
#include "functions.def"
} signet__function_list_3_0;

CK_RV C_SessionCancel(CK_SESSION_HANDLE session, CK_FLAGS flags);

#endif
