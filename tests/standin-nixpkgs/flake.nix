{
  # Stands in for nixpkgs where neither GitHub nor a binary cache can be reached: just the functions our flake uses,
  # made of the host's tools. Builds need `--option sandbox false`. `fetchurl` takes files from a download store (a
  # folder with sha256/DIGEST) named by TEEKIT_STANDIN_DOWNLOADS; Nix checks their digests as it does with the real one.
  outputs =
    { self }:
    let
      system = "x86_64-linux";
      build =
        attributes: script:
        derivation (
          {
            inherit system;
            builder = "/bin/sh";
            args = [
              "-euc"
              ''
                export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
                ${script}
              ''
            ];
          }
          // attributes
        );
      # The host has these; a folder is all that a search path needs.
      hostTool = name: build { inherit name; } "mkdir -p $out/bin";
      lib = {
        optional = condition: element: if condition then [ element ] else [ ];
        cleanSource = path: path;
        makeBinPath = packages: builtins.concatStringsSep ":" (map (package: "${package}/bin") packages);
      };
    in
    {
      legacyPackages.${system} = {
        inherit lib;
        runCommand = name: attributes: script: build ({ inherit name; } // attributes) script;
        fetchurl =
          {
            name,
            urls,
            sha256,
          }:
          build {
            inherit name urls;
            digest = sha256;
            outputHashMode = "flat";
            outputHashAlgo = "sha256";
            outputHash = sha256;
            impureEnvVars = [ "TEEKIT_STANDIN_DOWNLOADS" ];
          } ''cp "$TEEKIT_STANDIN_DOWNLOADS/sha256/$digest" "$out"'';
        mkShell = attributes: build { name = "shell"; } "touch $out";
        bubblewrap = hostTool "bubblewrap";
        dpkg = hostTool "dpkg";
        findutils = hostTool "findutils";
        gnutar = hostTool "gnutar";
        ruff = hostTool "ruff";
        shellcheck = hostTool "shellcheck";
        python3.pkgs = {
          buildPythonApplication = { pname, version, ... }: build { name = "${pname}-${version}"; } "mkdir -p $out/bin";
          cryptography = hostTool "cryptography";
          pefile = hostTool "pefile";
          pydantic = hostTool "pydantic";
          pyelftools = hostTool "pyelftools";
          rich = hostTool "rich";
          setuptools = hostTool "setuptools";
          typer = hostTool "typer";
        };
      };
    };
}
