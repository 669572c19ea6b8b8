import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.Security;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import javax.net.ssl.ExtendedSSLSession;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.X509ExtendedKeyManager;

/**
 * A TLS server whose keys are in a token: java TlsServer.java CONFIGURATION PORT-FILE. The alias of the key is the third label from the end of the
 * name that the client asks for. Answers one byte to each connection.
 */
class TlsServer {
    public static void main(String[] arguments) throws Exception {
        Provider provider = Security.getProvider("SunPKCS11").configure(arguments[0]);
        Security.addProvider(provider);
        KeyStore store = KeyStore.getInstance("PKCS11", provider);
        store.load(null, "any".toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(new KeyManager[] {new ByName(store)}, null, null);
        try (SSLServerSocket server = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(0)) {
            Files.writeString(Path.of(arguments[1]), server.getLocalPort() + "\n");
            while (true) {
                try (SSLSocket socket = (SSLSocket) server.accept()) {
                    socket.getOutputStream().write('!');
                } catch (Exception failed) {
                    System.err.println(failed);
                }
            }
        }
    }

    /** The key that the client's SNI names, if it is of the type that the handshake wants. */
    private static class ByName extends X509ExtendedKeyManager {
        private final KeyStore store;

        ByName(KeyStore store) {
            this.store = store;
        }

        @Override
        public String chooseServerAlias(String type, Principal[] issuers, Socket socket) {
            var session = (ExtendedSSLSession) ((SSLSocket) socket).getHandshakeSession();
            String[] labels = ((SNIHostName) session.getRequestedServerNames().get(0)).getAsciiName().split("\\.");
            String alias = labels[labels.length - 3];
            PrivateKey key = getPrivateKey(alias);
            return key != null && type.startsWith(key.getAlgorithm()) ? alias : null;
        }

        @Override
        public PrivateKey getPrivateKey(String alias) {
            try {
                return (PrivateKey) store.getKey(alias, null);
            } catch (Exception failed) {
                throw new IllegalStateException(failed);
            }
        }

        @Override
        public X509Certificate[] getCertificateChain(String alias) {
            try {
                return Arrays.copyOf(store.getCertificateChain(alias), 1, X509Certificate[].class);
            } catch (Exception failed) {
                throw new IllegalStateException(failed);
            }
        }

        @Override
        public String[] getServerAliases(String type, Principal[] issuers) {
            return null;
        }

        @Override
        public String[] getClientAliases(String type, Principal[] issuers) {
            return null;
        }

        @Override
        public String chooseClientAlias(String[] types, Principal[] issuers, Socket socket) {
            return null;
        }
    }
}
