{
  description = "teekit-verify: rebuild a confidential VM image, predict its measurements, compare them with what was published";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      system = "x86_64-linux";
      pkgs = nixpkgs.legacyPackages.${system};
      lib = pkgs.lib;
      lock = builtins.fromJSON (builtins.readFile ./nix/build-env.lock.json);

      # Every .deb by the digest in the lock, wherever it comes from: the archive's mirrors while they carry it, else
      # the snapshot archive at the lock's time.
      fetchDeb =
        package:
        pkgs.fetchurl {
          # Store names allow neither "~" nor ":".
          name = builtins.replaceStrings [ "~" ":" ] [ "-" "-" ] (baseNameOf package.path);
          urls = lib.optional (package.archive == "debian") "mirror://debian/${package.path}" ++ [
            "https://snapshot.debian.org/archive/${package.archive}/${lock.snapshot}/${package.path}"
          ];
          inherit (package) sha256;
        };

      # The pinned environment. Its store path follows from the tree's content, so it is the very path that
      # `teekit-verify env build` makes from the same lock.
      buildEnv =
        pkgs.runCommand "teekit-build-env"
          {
            nativeBuildInputs = [
              pkgs.dpkg
              pkgs.gnutar
              pkgs.findutils
            ];
            outputHashMode = "recursive";
            outputHashAlgo = "sha256";
            outputHash = lock.environment.nar_hash;
            debs = map fetchDeb lock.packages;
            passAsFile = [ "debs" ];
            preferLocalBuild = true;
          }
          ''
            printf '%s\n' $(cat "$debsPath") > list
            sh ${./verifier/teekit_verify/rebuild/assemble_environment.sh} "$out" < list
          '';

      python = pkgs.python3;
      cli = python.pkgs.buildPythonApplication {
        pname = "teekit-verify";
        version = "0.1.0";
        pyproject = true;
        src = lib.cleanSource ./.;
        build-system = [ python.pkgs.setuptools ];
        dependencies = with python.pkgs; [
          cryptography
          pefile
          pydantic
          pyelftools
          rich
          typer
        ];
        makeWrapperArgs = [
          "--prefix"
          "PATH"
          ":"
          (lib.makeBinPath [
            pkgs.bubblewrap
            pkgs.dpkg
            pkgs.gnutar
          ])
        ];
      };
    in
    {
      packages.${system} = {
        default = cli;
        build-env = buildEnv;
      };

      apps.${system}.default = {
        type = "app";
        program = "${cli}/bin/teekit-verify";
      };

      devShells.${system}.default = pkgs.mkShell {
        inputsFrom = [ cli ];
        packages = [
          pkgs.bubblewrap
          pkgs.dpkg
          pkgs.ruff
          pkgs.shellcheck
        ];
      };

      checks.${system} = {
        inherit cli;
        # The tree in the store is the one the lock names, and its mkosi starts.
        build-env = pkgs.runCommand "teekit-build-env-check" { } ''
          test ${buildEnv} = ${lock.environment.store_path}
          test -x ${buildEnv}/usr/bin/mkosi
          touch "$out"
        '';
      };
    };
}
