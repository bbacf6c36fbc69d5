"""Who the vehicle is: a key made in the vehicle, and a certificate that the gateway signs and renews."""
