"""AssemblyAI: live speech-to-text, one session per track or one for both tracks mixed."""
