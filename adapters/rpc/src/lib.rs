//! Faces for other programs, as pure translators: the app-server.
