/* Everything that this module does not do. It signs, and hashes; there is no decryption, unwrapping, derivation or
 * generation. */
#include "cryptoki.h"

#define REFUSE(name, parameters)                                                                                       \
    CK_RV name parameters {                                                                                            \
        return CKR_FUNCTION_NOT_SUPPORTED;                                                                             \
    }

#define SERVED(name)
#define REFUSED REFUSE
#define SERVED_3_0(name, parameters)
#define REFUSED_3_0 REFUSE
#include "functions.def"
