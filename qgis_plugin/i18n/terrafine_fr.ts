<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="fr" sourcelanguage="en">
<context>
    <name>@default</name>
    <message>
        <source>Install the same version of both.</source>
        <translation>Installez la même version des deux.</translation>
    </message>
    <message>
        <source>The server works, but has no models.</source>
        <translation>Le serveur fonctionne, mais n'a aucun modèle.</translation>
    </message>
    <message>
        <source>Start it with --models FOLDER.</source>
        <translation>Démarrez-le avec --models DOSSIER.</translation>
    </message>
    <message>
        <source>There is no computer called '{host}'.</source>
        <translation>Aucun ordinateur ne s'appelle « {host} ».</translation>
    </message>
    <message>
        <source>Check the address's spelling.</source>
        <translation>Vérifiez l'orthographe de l'adresse.</translation>
    </message>
    <message>
        <source>The computer refuses: nothing listens at {where}.</source>
        <translation>L'ordinateur refuse : rien n'écoute à {where}.</translation>
    </message>
    <message>
        <source>Start the server there, and check the port.</source>
        <translation>Démarrez-y le serveur et vérifiez le port.</translation>
    </message>
    <message>
        <source>There is only silence at {where}.</source>
        <translation>Aucune réponse de {where}.</translation>
    </message>
    <message>
        <source>Check that the computer is on, and that no firewall is in between.</source>
        <translation>Vérifiez que l'ordinateur est allumé et qu'aucun pare-feu ne fait obstacle.</translation>
    </message>
    <message>
        <source>'{address}' is no address.</source>
        <translation>« {address} » n'est pas une adresse.</translation>
    </message>
    <message>
        <source>Something listens there, but it does not have the server's public key that you gave.</source>
        <translation>Un programme écoute à cette adresse, mais ne possède pas la clé publique de serveur indiquée.</translation>
    </message>
    <message>
        <source>Ask the administrator for the server's key: its file server.pub.</source>
        <translation>Demandez à l'administrateur la clé du serveur : son fichier server.pub.</translation>
    </message>
    <message>
        <source>Something listens there, but it is no Terrafine server, or one that asks for keys.</source>
        <translation>Un programme écoute à cette adresse, mais ce n'est pas un serveur Terrafine, ou bien il exige des clés.</translation>
    </message>
    <message>
        <source>Enter the server's key if it has one, and check the port.</source>
        <translation>Saisissez la clé du serveur s'il en a une, et vérifiez le port.</translation>
    </message>
    <message>
        <source>Testing the server '{name}'</source>
        <translation>Test du serveur « {name} »</translation>
    </message>
    <message>
        <source>There is no key of yours for '{name}'.</source>
        <translation>Vous n'avez pas de clé pour « {name} ».</translation>
    </message>
    <message>
        <source>Make one under Saved servers.</source>
        <translation>Créez-en une sous Serveurs enregistrés.</translation>
    </message>
    <message>
        <source>QGIS's authentication manager does not give your key for '{name}' away.</source>
        <translation>Le gestionnaire d'authentification de QGIS ne livre pas votre clé pour « {name} ».</translation>
    </message>
    <message>
        <source>Enter the right master password, or make a new key under Saved servers.</source>
        <translation>Saisissez le bon mot de passe principal, ou créez une nouvelle clé sous Serveurs enregistrés.</translation>
    </message>
    <message>
        <source>QGIS's authentication manager does not keep the key.</source>
        <translation>Le gestionnaire d'authentification de QGIS n'enregistre pas la clé.</translation>
    </message>
    <message>
        <source>Enter its master password, then try again.</source>
        <translation>Saisissez son mot de passe principal, puis réessayez.</translation>
    </message>
    <message>
        <source>QGIS's authentication manager is switched off.</source>
        <translation>Le gestionnaire d'authentification de QGIS est désactivé.</translation>
    </message>
    <message>
        <source>Making room</source>
        <translation>Préparation du dossier</translation>
    </message>
    <message>
        <source>Removing the local server</source>
        <translation>Suppression du serveur local</translation>
    </message>
    <message>
        <source>A local server is being set up or removed already.</source>
        <translation>Un serveur local est déjà en cours d'installation ou de suppression.</translation>
    </message>
    <message>
        <source>Wait for it, perhaps in another window.</source>
        <translation>Attendez la fin, peut-être dans une autre fenêtre.</translation>
    </message>
    <message>
        <source>The set-up was cancelled.</source>
        <translation>L'installation a été annulée.</translation>
    </message>
    <message>
        <source>Tidying up</source>
        <translation>Nettoyage</translation>
    </message>
    <message>
        <source>The disk is full.</source>
        <translation>Le disque est plein.</translation>
    </message>
    <message>
        <source>Make room, then try again.</source>
        <translation>Libérez de la place, puis réessayez.</translation>
    </message>
    <message>
        <source>The network, or the proxy, does not let the packages through.</source>
        <translation>Le réseau ou le proxy ne laisse pas passer les paquets.</translation>
    </message>
    <message>
        <source>Check the connection, and the proxy in QGIS's options; then try again.</source>
        <translation>Vérifiez la connexion et le proxy dans les options de QGIS, puis réessayez.</translation>
    </message>
    <message>
        <source>There is no build of '{package}' for this Python.</source>
        <translation>Il n'existe pas de version de « {package} » pour ce Python.</translation>
    </message>
    <message>
        <source>Choose another Python, 3.10 to 3.13, and try again.</source>
        <translation>Choisissez un autre Python, de 3.10 à 3.13, et réessayez.</translation>
    </message>
    <message>
        <source>The log's tab 'Terrafine set-up' has it all.</source>
        <translation>Le détail se trouve dans l'onglet « Terrafine set-up » du journal.</translation>
    </message>
    <message>
        <source>Reading {name}</source>
        <translation>Lecture de {name}</translation>
    </message>
    <message>
        <source>Fetching {name} ({size:.1f} MB)</source>
        <translation>Téléchargement de {name} ({size:.1f} Mo)</translation>
    </message>
    <message>
        <source>Fetching {name}: {done:.0f} of {size:.0f} MB</source>
        <translation>Téléchargement de {name} : {done:.0f} sur {size:.0f} Mo</translation>
    </message>
    <message>
        <source>Looking for {name}</source>
        <translation>Recherche de {name}</translation>
    </message>
    <message>
        <source>Unpacking {count} packages; this takes a minute or two</source>
        <translation>Décompression de {count} paquets ; cela prend une minute ou deux</translation>
    </message>
    <message>
        <source>The folder '{folder}' cannot be removed: {reason}.</source>
        <translation>Le dossier « {folder} » ne peut pas être supprimé : {reason}.</translation>
    </message>
    <message>
        <source>Stop the local server, close other windows of QGIS, then try again.</source>
        <translation>Arrêtez le serveur local, fermez les autres fenêtres de QGIS, puis réessayez.</translation>
    </message>
    <message>
        <source>'{path}' is no Python.</source>
        <translation>« {path} » n'est pas un Python.</translation>
    </message>
    <message>
        <source>'{path}' is {python} with {bits} bits; the server needs 3.9 or newer, with 64 bits.</source>
        <translation>« {path} » est {python} en {bits} bits ; le serveur demande la version 3.9 ou plus récente, en 64 bits.</translation>
    </message>
    <message>
        <source>{python} at '{path}' lacks its modules venv and ensurepip.</source>
        <translation>Il manque à {python} (« {path} ») ses modules venv et ensurepip.</translation>
    </message>
    <message>
        <source>On Debian and Ubuntu: sudo apt install python{major}.{minor}-venv</source>
        <translation>Sous Debian et Ubuntu : sudo apt install python{major}.{minor}-venv</translation>
    </message>
    <message>
        <source>Choose another, or install one from python.org.</source>
        <translation>Choisissez-en un autre, ou installez-en un depuis python.org.</translation>
    </message>
    <message>
        <source>Looking for Python</source>
        <translation>Recherche de Python</translation>
    </message>
    <message>
        <source>There is no Python 3.9 or newer on this computer.</source>
        <translation>Il n'y a pas de Python 3.9 ou plus récent sur cet ordinateur.</translation>
    </message>
    <message>
        <source>The disk of '{folder}' has {free} free; {needed} are needed.</source>
        <translation>Le disque de « {folder} » a {free} de libre ; il en faut {needed}.</translation>
    </message>
    <message>
        <source>Making an environment</source>
        <translation>Création de l'environnement</translation>
    </message>
    <message>
        <source>Bringing pip up to date</source>
        <translation>Mise à jour de pip</translation>
    </message>
    <message>
        <source>Installing PyTorch</source>
        <translation>Installation de PyTorch</translation>
    </message>
    <message>
        <source>Installing Terrafine</source>
        <translation>Installation de Terrafine</translation>
    </message>
    <message>
        <source>Trying whether it works</source>
        <translation>Essai de fonctionnement</translation>
    </message>
    <message>
        <source>The server's wheel has not been chosen.</source>
        <translation>Le fichier wheel du serveur n'a pas été choisi.</translation>
    </message>
    <message>
        <source>Choose the file {name}, which comes with the plugin's zip.</source>
        <translation>Choisissez le fichier {name}, fourni avec le zip de l'extension.</translation>
    </message>
    <message>
        <source>'{name}' is not the wheel of Terrafine {version}.</source>
        <translation>« {name} » n'est pas le wheel de Terrafine {version}.</translation>
    </message>
    <message>
        <source>Plugin and server go together: take both of the same version.</source>
        <translation>L'extension et le serveur vont ensemble : prenez la même version des deux.</translation>
    </message>
    <message>
        <source>{size:.1f} GB</source>
        <translation>{size:.1f} Go</translation>
    </message>
    <message>
        <source>The area has {millions:,.0f} million pixels of {gsd:g} m; at most {most:.0f} million of a base map can be sampled.</source>
        <translation>La zone a {millions:,.0f} millions de pixels de {gsd:g} m ; on peut échantillonner au plus {most:.0f} millions de pixels d'un fond de carte.</translation>
    </message>
    <message>
        <source>Zoom in, or sample at a coarser size.</source>
        <translation>Zoomez, ou échantillonnez plus grossièrement.</translation>
    </message>
    <message>
        <source>The base map could not be read: {reason}.</source>
        <translation>Le fond de carte n'a pas pu être lu : {reason}.</translation>
    </message>
    <message>
        <source>Try again later.</source>
        <translation>Réessayez plus tard.</translation>
    </message>
    <message>
        <source>The base map's CRS does not say how large it is on the ground.</source>
        <translation>Le SCR du fond de carte ne dit pas sa taille au sol.</translation>
    </message>
    <message>
        <source>The sample could not be saved: {reason}.</source>
        <translation>L'échantillon n'a pas pu être enregistré : {reason}.</translation>
    </message>
    <message>
        <source>Check the project's folder.</source>
        <translation>Vérifiez le dossier du projet.</translation>
    </message>
    <message>
        <source>The server's engine broke down and was started again; nothing drawn is lost.</source>
        <translation>Le moteur du serveur est tombé en panne et a redémarré ; rien de ce qui est dessiné n'est perdu.</translation>
    </message>
    <message>
        <source>The connection broke down.</source>
        <translation>La connexion s'est interrompue.</translation>
    </message>
    <message>
        <source>Reconnect; nothing drawn is lost.</source>
        <translation>Reconnectez-vous ; rien de ce qui est dessiné n'est perdu.</translation>
    </message>
    <message>
        <source>The server has no models.</source>
        <translation>Le serveur n'a aucun modèle.</translation>
    </message>
    <message>
        <source>Add one with its option --models.</source>
        <translation>Ajoutez-en un avec son option --models.</translation>
    </message>
    <message>
        <source>There is no server to classify with.</source>
        <translation>Il n'y a pas de serveur pour classer.</translation>
    </message>
    <message>
        <source>Start a local server or connect to one.</source>
        <translation>Démarrez un serveur local ou connectez-vous à un serveur.</translation>
    </message>
    <message>
        <source>The area does not meet the raster.</source>
        <translation>La zone ne rencontre pas le raster.</translation>
    </message>
    <message>
        <source>Zoom to the raster or choose another area.</source>
        <translation>Zoomez sur le raster ou choisissez une autre zone.</translation>
    </message>
    <message>
        <source>The map could not be saved: {why}.</source>
        <translation>La carte n'a pas pu être enregistrée : {why}.</translation>
    </message>
    <message>
        <source>Check that the project's folder can be written and has space left.</source>
        <translation>Vérifiez que le dossier du projet est inscriptible et qu'il y reste de la place.</translation>
    </message>
    <message>
        <source>The raster's ground control points do not say where it lies.</source>
        <translation>Les points de contrôle du raster ne disent pas où il se trouve.</translation>
    </message>
    <message>
        <source>Georeference it first.</source>
        <translation>Géoréférencez-le d'abord.</translation>
    </message>
    <message>
        <source>The layer '{name}' is broken.</source>
        <translation>La couche « {name} » est défectueuse.</translation>
    </message>
    <message>
        <source>Repair its data source first.</source>
        <translation>Réparez d'abord sa source de données.</translation>
    </message>
    <message>
        <source>The pixels of '{name}' come from the provider '{provider}', not from a file.</source>
        <translation>Les pixels de « {name} » viennent du fournisseur « {provider} », non d'un fichier.</translation>
    </message>
    <message>
        <source>Export the layer as a GeoTIFF (Layer ▸ Save As) and use that.</source>
        <translation>Exportez la couche en GeoTIFF (Couche ▸ Enregistrer sous) et utilisez ce fichier.</translation>
    </message>
    <message>
        <source>The raster cannot be opened: {reason}.</source>
        <translation>Le raster ne peut pas être ouvert : {reason}.</translation>
    </message>
    <message>
        <source>Check the file.</source>
        <translation>Vérifiez le fichier.</translation>
    </message>
    <message>
        <source>The raster's pixels cannot be read: {reason}.</source>
        <translation>Les pixels du raster ne peuvent pas être lus : {reason}.</translation>
    </message>
    <message>
        <source>The file may be damaged or out of reach.</source>
        <translation>Le fichier est peut-être endommagé ou hors d'atteinte.</translation>
    </message>
    <message>
        <source>No Terrafine server was found on this computer.</source>
        <translation>Aucun serveur Terrafine n'a été trouvé sur cet ordinateur.</translation>
    </message>
    <message>
        <source>Set one up, or choose the Python that has it, in the server's menu.</source>
        <translation>Installez-en un, ou choisissez le Python qui le contient, dans le menu du serveur.</translation>
    </message>
    <message>
        <source>The server could not be started: {reason}.</source>
        <translation>Le serveur n'a pas pu être démarré : {reason}.</translation>
    </message>
    <message>
        <source>The local server has ended: {last}</source>
        <translation>Le serveur local s'est arrêté : {last}</translation>
    </message>
    <message>
        <source>The local server did not start within {seconds} seconds.</source>
        <translation>Le serveur local n'a pas démarré en {seconds} secondes.</translation>
    </message>
    <message>
        <source>Start it again; everything drawn is kept.</source>
        <translation>Redémarrez-le ; tout ce qui est dessiné est gardé.</translation>
    </message>
    <message>
        <source>The server does not have what was learnt any more; the map is that of the model again.</source>
        <translation>Le serveur n'a plus ce qui a été appris ; la carte est de nouveau celle du modèle.</translation>
    </message>
    <message>
        <source>Learn again from your marks. Save as model keeps what was learnt.</source>
        <translation>Relancez l'apprentissage avec vos marques. « Enregistrer comme modèle » conserve ce qui a été appris.</translation>
    </message>
    <message>
        <source>The model cannot be saved now.</source>
        <translation>Le modèle ne peut pas être enregistré maintenant.</translation>
    </message>
    <message>
        <source>Connect to the server, and let its work finish.</source>
        <translation>Connectez-vous au serveur et laissez-le finir son travail.</translation>
    </message>
    <message>
        <source>The model was saved as '{name}'.</source>
        <translation>Le modèle a été enregistré sous « {name} ».</translation>
    </message>
    <message>
        <source>There is no model to begin with.</source>
        <translation>Il n'y a pas de modèle de départ.</translation>
    </message>
    <message>
        <source>Classify an area first; a legend has at most {most} classes.</source>
        <translation>Classez d'abord une zone ; une légende a au plus {most} classes.</translation>
    </message>
    <message>
        <source>No class can be added.</source>
        <translation>Aucune classe ne peut être ajoutée.</translation>
    </message>
    <message>
        <source>A legend needs two classes.</source>
        <translation>Une légende demande deux classes.</translation>
    </message>
    <message>
        <source>Add another class first.</source>
        <translation>Ajoutez d'abord une autre classe.</translation>
    </message>
    <message>
        <source>There are no marks to learn from.</source>
        <translation>Il n'y a pas de marques dont apprendre.</translation>
    </message>
    <message>
        <source>Mark what is wrong first.</source>
        <translation>Marquez d'abord ce qui est faux.</translation>
    </message>
    <message>
        <source>There is no server to learn with.</source>
        <translation>Il n'y a pas de serveur pour l'apprentissage.</translation>
    </message>
    <message>
        <source>The server is at work.</source>
        <translation>Le serveur travaille.</translation>
    </message>
    <message>
        <source>Learn when it is done.</source>
        <translation>Lancez l'apprentissage quand il aura fini.</translation>
    </message>
    <message>
        <source>There is no map to look into.</source>
        <translation>Il n'y a pas de carte à examiner.</translation>
    </message>
    <message>
        <source>Connect to a server and classify an area first.</source>
        <translation>Connectez-vous d'abord à un serveur et classez une zone.</translation>
    </message>
    <message>
        <source>Try again when it is done.</source>
        <translation>Réessayez quand il aura fini.</translation>
    </message>
    <message>
        <source>The area does not meet the map.</source>
        <translation>La zone ne touche pas la carte.</translation>
    </message>
    <message>
        <source>Zoom to the map, or classify more of the image.</source>
        <translation>Zoomez sur la carte, ou classez davantage de l'image.</translation>
    </message>
    <message>
        <source>The map of before could not be kept to compare with: {why}.</source>
        <translation>La carte d'avant n'a pas pu être conservée pour la comparaison : {why}.</translation>
    </message>
    <message>
        <source>Make room in the folder for temporary files.</source>
        <translation>Libérez de la place dans le dossier des fichiers temporaires.</translation>
    </message>
    <message>
        <source>Here</source>
        <translation>Ici</translation>
    </message>
    <message>
        <source>To look at</source>
        <translation>À regarder</translation>
    </message>
    <message>
        <source>Done</source>
        <translation>Fait</translation>
    </message>
    <message>
        <source>Skipped</source>
        <translation>Passé</translation>
    </message>
    <message>
        <source>Choose another coordinate system for the project.</source>
        <translation>Choisissez un autre système de coordonnées pour le projet.</translation>
    </message>
    <message>
        <source>If it does, undo, and mark some places of other classes, too.</source>
        <translation>Dans ce cas, annulez, et marquez aussi quelques endroits d'autres classes.</translation>
    </message>
    <message>
        <source>All marks are of one class: the model may forget the others.</source>
        <translation>Toutes les marques sont d'une seule classe : le modèle risque d'oublier les autres.</translation>
    </message>
    <message>
        <source>The file of the layer '{name}' is missing: {source}.</source>
        <translation>Le fichier de la couche « {name} » est introuvable : {source}.</translation>
    </message>
    <message>
        <source>Copy the folder whose name ends in _terrafine along with the project, then open it again.</source>
        <translation>Copiez avec le projet le dossier dont le nom se termine par _terrafine, puis rouvrez-le.</translation>
    </message>
    <message>
        <source>The folder {folder} cannot be made: {why}.</source>
        <translation>Impossible de créer le dossier {folder} : {why}.</translation>
    </message>
    <message>
        <source>Save the project where you may write.</source>
        <translation>Enregistrez le projet là où vous pouvez écrire.</translation>
    </message>
    <message>
        <source>The image of the map '{name}' is no longer in the project.</source>
        <translation>L'image de la carte « {name} » n'est plus dans le projet.</translation>
    </message>
    <message>
        <source>Its marks and its map stay as layers.</source>
        <translation>Ses marques et sa carte restent comme couches.</translation>
    </message>
    <message>
        <source>Choose another area, or look at the image's nodata value in its properties.</source>
        <translation>Choisissez une autre zone, ou vérifiez la valeur nodata dans les propriétés de l'image.</translation>
    </message>
    <message>
        <source>Nothing was classified: the image has no values there.</source>
        <translation>Rien n'a été classé : l'image n'a pas de valeurs à cet endroit.</translation>
    </message>
    <message>
        <source>unknown reason</source>
        <translation>raison inconnue</translation>
    </message>
    <message>
        <source>The marks could not be saved: {why}.</source>
        <translation>Impossible d'enregistrer les marques : {why}.</translation>
    </message>
    <message>
        <source>Until then QGIS alone remembers them: make room, or save the project elsewhere.</source>
        <translation>D'ici là, seul QGIS les retient : faites de la place, ou enregistrez le projet ailleurs.</translation>
    </message>
    <message>
        <source>The file for the marks could not be made: {why}.</source>
        <translation>Impossible de créer le fichier des marques : {why}.</translation>
    </message>
    <message>
        <source>There is no server to find objects with.</source>
        <translation>Il n'y a pas de serveur pour trouver des objets.</translation>
    </message>
    <message>
        <source>The server has no model that finds objects here.</source>
        <translation>Le serveur n'a pas de modèle qui trouve des objets ici.</translation>
    </message>
    <message>
        <source>Draw a polygon instead.</source>
        <translation>Dessinez plutôt un polygone.</translation>
    </message>
    <message>
        <source>The server is busy with something longer.</source>
        <translation>Le serveur est occupé par un travail plus long.</translation>
    </message>
    <message>
        <source>Click again when that is done.</source>
        <translation>Cliquez à nouveau quand il aura fini.</translation>
    </message>
    <message>
        <source>'{value}' is no class of the model.</source>
        <translation>« {value} » n'est pas une classe du modèle.</translation>
    </message>
    <message>
        <source>Its classes are: {names}.</source>
        <translation>Ses classes sont : {names}.</translation>
    </message>
    <message>
        <source>it is empty</source>
        <translation>elle est vide</translation>
    </message>
    <message>
        <source>its outline crosses itself</source>
        <translation>son contour se croise</translation>
    </message>
    <message>
        <source>The mark {number} cannot be used: {reason}.</source>
        <translation>La marque {number} est inutilisable : {reason}.</translation>
    </message>
    <message>
        <source>Repair it with 'Fix geometries'.</source>
        <translation>Réparez-la avec « Réparer les géométries ».</translation>
    </message>
    <message>
        <source>The map of {width} × {height} pixels takes {needed:.1f} GB; {free:.1f} GB are free in {folder}.</source>
        <translation>La carte de {width} × {height} pixels prend {needed:.1f} Go ; {free:.1f} Go sont libres dans {folder}.</translation>
    </message>
    <message>
        <source>Make room, save the project on another disk, or classify a smaller area.</source>
        <translation>Faites de la place, enregistrez le projet sur un autre disque, ou classez une zone plus petite.</translation>
    </message>
    <message>
        <source>Its marks are kept in {files}.</source>
        <translation>Ses marques sont conservées dans {files}.</translation>
    </message>
    <message>
        <source>The project was closed before it was saved.</source>
        <translation>Le projet a été fermé avant d'être enregistré.</translation>
    </message>
    <message>
        <source>The work on '{name}' has ended, for one of its layers was removed.</source>
        <translation>Le travail sur « {name} » est terminé, car une de ses couches a été retirée.</translation>
    </message>
    <message>
        <source>Classify again to begin anew.</source>
        <translation>Classez de nouveau pour recommencer.</translation>
    </message>
    <message>
        <source>Its marks ({count}) are in {file} still: add that file as a layer and import it to go on with them.</source>
        <translation>Ses marques ({count}) sont toujours dans {file} : ajoutez ce fichier comme couche et importez-le pour continuer avec elles.</translation>
    </message>
    <message>
        <source>No point of '{name}' says anything about the image.</source>
        <translation>Aucun point de « {name} » ne dit quoi que ce soit de l'image.</translation>
    </message>
    <message>
        <source>Choose another layer, or other fields: points lie on the image, and their fields hold numbers.</source>
        <translation>Choisissez une autre couche, ou d'autres champs : les points sont sur l'image, et leurs champs contiennent des nombres.</translation>
    </message>
    <message>
        <source>'{name}' has {count} points on the image; {most} are allowed.</source>
        <translation>« {name} » a {count} points sur l'image ; {most} sont permis.</translation>
    </message>
    <message>
        <source>Filter the layer.</source>
        <translation>Filtrez la couche.</translation>
    </message>
    <message>
        <source>The server has failed: {detail}</source>
        <translation>Le serveur a échoué : {detail}</translation>
    </message>
    <message>
        <source>Try again. If that does not help, its log says more.</source>
        <translation>Réessayez. Sinon, son journal en dit plus.</translation>
    </message>
    <message>
        <source>The server refuses: {detail}</source>
        <translation>Le serveur refuse : {detail}</translation>
    </message>
    <message>
        <source>Try another choice, or install the same version of plugin and server.</source>
        <translation>Faites un autre choix, ou installez la même version de l'extension et du serveur.</translation>
    </message>
    <message>
        <source>The server and this plugin are of different versions: {detail}</source>
        <translation>Le serveur et cette extension n'ont pas la même version : {detail}</translation>
    </message>
    <message>
        <source>That is more than the server takes: {detail}</source>
        <translation>C'est plus que ce que le serveur accepte : {detail}</translation>
    </message>
    <message>
        <source>Choose a smaller area.</source>
        <translation>Choisissez une zone plus petite.</translation>
    </message>
    <message>
        <source>The server does not have it: {detail}</source>
        <translation>Le serveur ne l'a pas : {detail}</translation>
    </message>
    <message>
        <source>Choose another model, or classify again.</source>
        <translation>Choisissez un autre modèle, ou classez de nouveau.</translation>
    </message>
    <message>
        <source>The server cannot use the raster: {detail}</source>
        <translation>Le serveur ne peut pas utiliser le raster : {detail}</translation>
    </message>
    <message>
        <source>Convert the raster, or choose another.</source>
        <translation>Convertissez le raster, ou choisissez-en un autre.</translation>
    </message>
    <message>
        <source>The model does not go with the raster, or is broken: {detail}</source>
        <translation>Le modèle ne convient pas au raster, ou il est défectueux : {detail}</translation>
    </message>
    <message>
        <source>Choose another model.</source>
        <translation>Choisissez un autre modèle.</translation>
    </message>
    <message>
        <source>The server cannot do that: {detail}</source>
        <translation>Le serveur ne peut pas faire cela : {detail}</translation>
    </message>
    <message>
        <source>Ask its administrator.</source>
        <translation>Adressez-vous à son administrateur.</translation>
    </message>
    <message>
        <source>The server has too much to do: {detail}</source>
        <translation>Le serveur a trop à faire : {detail}</translation>
    </message>
    <message>
        <source>Try again in a moment.</source>
        <translation>Réessayez dans un instant.</translation>
    </message>
    <message>
        <source>The server has no room for this: {detail}</source>
        <translation>Le serveur n'a pas de place pour cela : {detail}</translation>
    </message>
    <message>
        <source>Classify a smaller area, or ask its administrator for more room.</source>
        <translation>Classez une zone plus petite, ou demandez plus de place à son administrateur.</translation>
    </message>
    <message>
        <source>The server cannot be reached: {detail}</source>
        <translation>Le serveur est injoignable : {detail}</translation>
    </message>
    <message>
        <source>Check the address and that the server runs; nothing drawn is lost.</source>
        <translation>Vérifiez l'adresse et que le serveur fonctionne ; rien de ce qui est dessiné n'est perdu.</translation>
    </message>
    <message>
        <source>The server does not let you in: {detail}</source>
        <translation>Le serveur ne vous laisse pas entrer : {detail}</translation>
    </message>
    <message>
        <source>Ask its administrator to add your key.</source>
        <translation>Demandez à son administrateur d'ajouter votre clé.</translation>
    </message>
    <message>
        <source>The map is unsure around here: it has something to learn.</source>
        <translation>La carte est incertaine par ici : elle a quelque chose à apprendre.</translation>
    </message>
    <message>
        <source>The size of the raster's pixels on the ground is unknown; the model takes them as they are.</source>
        <translation>La taille au sol des pixels du raster est inconnue ; le modèle les prend tels quels.</translation>
    </message>
    <message>
        <source>The server does not accept your key any more.</source>
        <translation>Le serveur n'accepte plus votre clé.</translation>
    </message>
    <message>
        <source>Ask its administrator to add it.</source>
        <translation>Demandez à son administrateur de l'ajouter.</translation>
    </message>
    <message>
        <source>The server has too much to do.</source>
        <translation>Le serveur a trop à faire.</translation>
    </message>
    <message>
        <source>The server ran out of memory.</source>
        <translation>Le serveur a manqué de mémoire.</translation>
    </message>
    <message>
        <source>Classify a smaller area, or close other programs.</source>
        <translation>Classez une zone plus petite, ou fermez d'autres programmes.</translation>
    </message>
    <message>
        <source>The server does not hold this session (any more).</source>
        <translation>Le serveur n'a pas (ou plus) cette session.</translation>
    </message>
    <message>
        <source>The server does not hold these weights (any more).</source>
        <translation>Le serveur n'a pas (ou plus) ces poids.</translation>
    </message>
    <message>
        <source>Learn again.</source>
        <translation>Relancez l'apprentissage.</translation>
    </message>
    <message>
        <source>Learning ended in nonsense.</source>
        <translation>L'apprentissage n'a abouti à rien de sensé.</translation>
    </message>
    <message>
        <source>Its log says more.</source>
        <translation>Son journal en dit plus.</translation>
    </message>
    <message>
        <source>The server warns: {detail}</source>
        <translation>Le serveur avertit : {detail}</translation>
    </message>
    <message>
        <source>No object was found there.</source>
        <translation>Aucun objet n'a été trouvé à cet endroit.</translation>
    </message>
    <message>
        <source>Click in its middle, or draw another box.</source>
        <translation>Cliquez en son milieu, ou dessinez un autre cadre.</translation>
    </message>
    <message>
        <source>The server does not have the model '{name}' that this map is made with.</source>
        <translation>Le serveur n'a pas le modèle « {name} » avec lequel cette carte est faite.</translation>
    </message>
    <message>
        <source>Marks are kept. Copy the model's folder to the server and reconnect, or classify with another model.</source>
        <translation>Les marques sont conservées. Copiez le dossier du modèle sur le serveur et reconnectez-vous, ou classez avec un autre modèle.</translation>
    </message>
    <message>
        <source>The extent lies outside the raster.</source>
        <translation>L'emprise est en dehors du raster.</translation>
    </message>
    <message>
        <source>Choose one that meets it.</source>
        <translation>Choisissez-en une qui le recoupe.</translation>
    </message>
    <message>
        <source>The raster cannot be read: {why}.</source>
        <translation>Le raster est illisible : {why}.</translation>
    </message>
    <message>
        <source>The file may be damaged.</source>
        <translation>Le fichier est peut-être endommagé.</translation>
    </message>
    <message>
        <source>The filter could not be applied: {why}.</source>
        <translation>Impossible d'appliquer le filtre : {why}.</translation>
    </message>
    <message>
        <source>Check that there is space left on the disk.</source>
        <translation>Vérifiez qu'il reste de la place sur le disque.</translation>
    </message>
    <message>
        <source>Without a CRS, nobody knows how large the raster is.</source>
        <translation>Sans SCR, personne ne sait quelle est l'étendue du raster.</translation>
    </message>
    <message>
        <source>Set the layer's CRS.</source>
        <translation>Définissez le SCR de la couche.</translation>
    </message>
    <message>
        <source>The raster's CRS does not say how large it is: {why}.</source>
        <translation>Le SCR du raster ne dit pas quelle est son étendue : {why}.</translation>
    </message>
    <message>
        <source>Check its CRS.</source>
        <translation>Vérifiez son SCR.</translation>
    </message>
    <message>
        <source>The sample {number} has nothing in '{field}'.</source>
        <translation>L'échantillon {number} n'a rien dans « {field} ».</translation>
    </message>
    <message>
        <source>Choose another field.</source>
        <translation>Choisissez un autre champ.</translation>
    </message>
    <message>
        <source>There are fewer than {fewest} labelled samples where the map says: {classes}.</source>
        <translation>Il y a moins de {fewest} échantillons étiquetés là où la carte indique : {classes}.</translation>
    </message>
    <message>
        <source>Label more samples of these classes; or merge classes, or assess a part of the map without them.</source>
        <translation>Étiquetez plus d'échantillons de ces classes ; ou fusionnez des classes, ou évaluez une partie de la carte sans elles.</translation>
    </message>
    <message>
        <source>'{value}' in the field '{field}' is no class id.</source>
        <translation>« {value} » dans le champ « {field} » n'est pas un identifiant de classe.</translation>
    </message>
    <message>
        <source>Choose a field of numbers.</source>
        <translation>Choisissez un champ de nombres.</translation>
    </message>
    <message>
        <source>The sample {number} has no place.</source>
        <translation>L'échantillon {number} n'a pas de position.</translation>
    </message>
    <message>
        <source>Use the layer of samples as it was made.</source>
        <translation>Utilisez la couche d'échantillons telle qu'elle a été créée.</translation>
    </message>
    <message>
        <source>The sample {number} does not lie on the map: {why}.</source>
        <translation>L'échantillon {number} n'est pas sur la carte : {why}.</translation>
    </message>
    <message>
        <source>The label could not be saved.</source>
        <translation>Impossible d'enregistrer l'étiquette.</translation>
    </message>
    <message>
        <source>Check that the layer's file can be written.</source>
        <translation>Vérifiez que le fichier de la couche est accessible en écriture.</translation>
    </message>
    <message>
        <source>The report could not be saved: {why}.</source>
        <translation>Impossible d'enregistrer le rapport : {why}.</translation>
    </message>
    <message>
        <source>Choose another place.</source>
        <translation>Choisissez un autre endroit.</translation>
    </message>
    <message>
        <source>The server has no model '{name}'.</source>
        <translation>Le serveur n'a pas de modèle « {name} ».</translation>
    </message>
    <message>
        <source>Its models are: {names}.</source>
        <translation>Ses modèles sont : {names}.</translation>
    </message>
    <message>
        <source>The extent lies outside the image.</source>
        <translation>L'emprise est en dehors de l'image.</translation>
    </message>
    <message>
        <source>The layer of marks has no mark with a class.</source>
        <translation>La couche de marques n'a aucune marque avec une classe.</translation>
    </message>
    <message>
        <source>Choose its class field.</source>
        <translation>Choisissez son champ de classe.</translation>
    </message>
    <message>
        <source>The raster could not be made: {why}.</source>
        <translation>Impossible de créer le raster : {why}.</translation>
    </message>
    <message>
        <source>Check the disk's space.</source>
        <translation>Vérifiez la place sur le disque.</translation>
    </message>
    <message>
        <source>The file of the layer '{name}' cannot be read: {source}.</source>
        <translation>Le fichier de la couche « {name} » est illisible : {source}.</translation>
    </message>
    <message>
        <source>Replace it by a copy that is whole, then open the project again.</source>
        <translation>Remplacez-le par une copie intacte, puis rouvrez le projet.</translation>
    </message>
    <message>
        <source>The file of the layer '{name}' is damaged: it has no {columns}.</source>
        <translation>Le fichier de la couche « {name} » est endommagé : il n'a pas {columns}.</translation>
    </message>
    <message>
        <source>The project file is damaged: it does not say with which model '{name}' was made.</source>
        <translation>Le fichier de projet est endommagé : il ne dit pas avec quel modèle « {name} » a été fait.</translation>
    </message>
    <message>
        <source>Its marks and its map stay as layers: classify again, and import the marks.</source>
        <translation>Ses marques et sa carte restent comme couches : classez de nouveau, et importez les marques.</translation>
    </message>
    <message>
        <source>Features in the marks' file that are no marks, and do not count: {count}.</source>
        <translation>Entités du fichier des marques qui n'en sont pas, et ne comptent pas : {count}.</translation>
    </message>
    <message>
        <source>Import them from there if they should be.</source>
        <translation>Importez-les de là si elles devaient en être.</translation>
    </message>
    <message>
        <source>Marks: {name}</source>
        <translation>Marques : {name}</translation>
    </message>
    <message>
        <source>Land cover: {name}</source>
        <translation>Occupation du sol : {name}</translation>
    </message>
    <message>
        <source>Locked: {name}</source>
        <translation>Verrouillé : {name}</translation>
    </message>
    <message>
        <source>Uncertainty ({method}): {name}</source>
        <translation>Incertitude ({method}) : {name}</translation>
    </message>
    <message>
        <source>Where to look: {name}</source>
        <translation>Où regarder : {name}</translation>
    </message>
    <message>
        <source>{number}%</source>
        <translation>{number} %</translation>
    </message>
    <message>
        <source>NVIDIA's driver is not installed</source>
        <translation>le pilote de NVIDIA n'est pas installé</translation>
    </message>
    <message>
        <source>Looking for a GPU</source>
        <translation>Recherche d'un GPU</translation>
    </message>
    <message>
        <source>Trying the GPU</source>
        <translation>Essai du GPU</translation>
    </message>
    <message>
        <source>No NVIDIA GPU can be used on this computer: {why}.</source>
        <translation>Aucun GPU NVIDIA ne peut servir sur cet ordinateur : {why}.</translation>
    </message>
    <message>
        <source>Choose PyTorch for any computer, or install NVIDIA's driver and try again.</source>
        <translation>Choisissez PyTorch pour tout ordinateur, ou installez le pilote de NVIDIA et réessayez.</translation>
    </message>
    <message>
        <source>PyTorch cannot use this computer's GPU: {why}.</source>
        <translation>PyTorch ne peut pas utiliser le GPU de cet ordinateur : {why}.</translation>
    </message>
    <message>
        <source>Bring NVIDIA's driver up to date and try again, or choose PyTorch for any computer.</source>
        <translation>Mettez à jour le pilote de NVIDIA et réessayez, ou choisissez PyTorch pour tout ordinateur.</translation>
    </message>
    <message>
        <source>Torn between all classes</source>
        <translation>Partagé entre toutes les classes</translation>
    </message>
    <message>
        <source>Torn between the best two</source>
        <translation>Partagé entre les deux meilleures</translation>
    </message>
    <message>
        <source>Unlike what it was trained on</source>
        <translation>Différent de son entraînement</translation>
    </message>
    <message>
        <source>Wavering between passes</source>
        <translation>Hésitant d'un passage à l'autre</translation>
    </message>
    <message>
        <source>Likely mistakes</source>
        <translation>Erreurs probables</translation>
    </message>
    <message>
        <source>water</source>
        <translation>eau</translation>
    </message>
    <message>
        <source>land</source>
        <translation>sol</translation>
    </message>
    <message>
        <source>road</source>
        <translation>route</translation>
    </message>
    <message>
        <source>building</source>
        <translation>bâtiment</translation>
    </message>
    <message>
        <source>vegetation</source>
        <translation>végétation</translation>
    </message>
    <message>
        <source>unlabelled object</source>
        <translation>objet non étiqueté</translation>
    </message>
    <message>
        <source>bare ground</source>
        <translation>sol nu</translation>
    </message>
    <message>
        <source>built-up</source>
        <translation>bâti</translation>
    </message>
    <message>
        <source>Land cover from RGB, six classes</source>
        <translation>Occupation du sol en RVB, six classes</translation>
    </message>
    <message>
        <source>Start from nothing (RGB)</source>
        <translation>Partir de rien (RVB)</translation>
    </message>
    <message>
        <source>Start from nothing (RGB and near infrared)</source>
        <translation>Partir de rien (RVB et proche infrarouge)</translation>
    </message>
    <message>
        <source>The project's map cannot show that square.</source>
        <translation>La carte du projet ne peut pas montrer ce carré.</translation>
    </message>
    <message>
        <source>{name}: {what}</source>
        <translation>{name} : {what}</translation>
    </message>
    <message>
        <source>entropy</source>
        <translation>entropie</translation>
    </message>
    <message>
        <source>how evenly the model's belief is spread over all classes</source>
        <translation>le modèle partage-t-il également sa confiance entre toutes les classes ?</translation>
    </message>
    <message>
        <source>margin</source>
        <translation>marge</translation>
    </message>
    <message>
        <source>how close the second best class comes to the best one</source>
        <translation>la deuxième classe est-elle proche de la meilleure ?</translation>
    </message>
    <message>
        <source>ODIN</source>
        <translation>ODIN</translation>
    </message>
    <message>
        <source>how sure the best class is after a nudge of the image in its favour; a few passes</source>
        <translation>confiance en la meilleure classe quand l'image est légèrement poussée en sa faveur ; quelques passages</translation>
    </message>
    <message>
        <source>Monte Carlo dropout</source>
        <translation>dropout de Monte-Carlo</translation>
    </message>
    <message>
        <source>how much the answer changes with parts of the network switched off; slow</source>
        <translation>la réponse change-t-elle quand on éteint des parties du réseau ? Lent</translation>
    </message>
    <message>
        <source>ConfidNet</source>
        <translation>ConfidNet</translation>
    </message>
    <message>
        <source>what a second small network expects, trained to know the first one's mistakes</source>
        <translation>ce qu'attend un second petit réseau, entraîné à connaître les erreurs du premier</translation>
    </message>
    <message>
        <source>The local server has ended.</source>
        <translation>Le serveur local s'est arrêté.</translation>
    </message>
    <message>
        <source>exit code {code}</source>
        <translation>code de sortie {code}</translation>
    </message>
    <message>
        <source>It works: {device}, answer in {ms:.0f} ms. Models: {count}.</source>
        <translation>Il fonctionne : {device}, réponse en {ms:.0f} ms. Modèles : {count}.</translation>
    </message>
</context>
<context>
    <name>Accuracy</name>
    <message>
        <source>Assess accuracy</source>
        <translation>Évaluer l'exactitude</translation>
    </message>
    <message>
        <source>Labelled samples</source>
        <translation>Échantillons étiquetés</translation>
    </message>
    <message>
        <source>The layer that 'Stratified random samples' has made, labelled.</source>
        <translation>La couche créée par « Échantillons aléatoires stratifiés », une fois étiquetée.</translation>
    </message>
    <message>
        <source>Reference class</source>
        <translation>Classe de référence</translation>
    </message>
    <message>
        <source>The field with the id of the class that is really there.</source>
        <translation>Le champ avec l'identifiant de la classe réellement présente.</translation>
    </message>
    <message>
        <source>Map class</source>
        <translation>Classe de la carte</translation>
    </message>
    <message>
        <source>The field with the id of the class that the map showed when the sample was drawn.</source>
        <translation>Le champ avec l'identifiant de la classe que montrait la carte au moment du tirage.</translation>
    </message>
    <message>
        <source>Accuracy by class</source>
        <translation>Exactitude par classe</translation>
    </message>
    <message>
        <source>A table with a row for each class.</source>
        <translation>Une table avec une ligne par classe.</translation>
    </message>
    <message>
        <source>Error matrix</source>
        <translation>Matrice de confusion</translation>
    </message>
    <message>
        <source>A table with a row for each pair of map class and reference class.</source>
        <translation>Une table avec une ligne par couple de classe de la carte et de classe de référence.</translation>
    </message>
    <message>
        <source>Report</source>
        <translation>Rapport</translation>
    </message>
    <message>
        <source>A page with tables and pictures, in one file.</source>
        <translation>Une page avec tableaux et images, en un seul fichier.</translation>
    </message>
    <message>
        <source>Overall accuracy, percent</source>
        <translation>Exactitude globale, pour cent</translation>
    </message>
    <message>
        <source>Half of its 95 % interval, percent</source>
        <translation>Moitié de son intervalle à 95 %, pour cent</translation>
    </message>
    <message>
        <source>Samples without a label, left out: {count}.</source>
        <translation>Échantillons sans étiquette, ignorés : {count}.</translation>
    </message>
    <message>
        <source>Samples where the map shows another class now than when they were drawn: {count}. This assesses the map as it was then; a map that was corrected since needs new samples.</source>
        <translation>Échantillons où la carte montre à présent une autre classe qu'au moment du tirage : {count}. L'évaluation porte sur la carte d'alors ; une carte corrigée depuis demande de nouveaux échantillons.</translation>
    </message>
    <message>
        <source>How accurate a class map is, and how much there really is of each class, by labelled random samples (algorithm 'Stratified random samples').

Gives overall, user's and producer's accuracy, and areas corrected by the map's mistakes, all with 95 % confidence intervals, after Olofsson et al. (2014), Remote Sensing of Environment 148, 42-57. The samples must be a random choice within each class of this very map: correct the map, and it needs new samples; and give the extent that they were drawn from.

Columns named margin are half the width of the interval. Samples without a label are left out.</source>
        <translation>Exactitude d'une carte de classes et étendue réelle de chaque classe, d'après des échantillons aléatoires étiquetés (algorithme « Échantillons aléatoires stratifiés »).

Donne l'exactitude globale, celles de l'utilisateur et du producteur, et des surfaces corrigées des erreurs de la carte, avec des intervalles de confiance à 95 %, d'après Olofsson et al. (2014), Remote Sensing of Environment 148, 42-57. Les échantillons doivent être tirés au hasard dans chaque classe de cette carte même : si la carte est corrigée, il en faut de nouveaux ; et indiquez l'emprise dont ils ont été tirés.

Les colonnes nommées margin donnent la demi-largeur de l'intervalle. Les échantillons sans étiquette sont ignorés.</translation>
    </message>
</context>
<context>
    <name>Algorithm</name>
    <message>
        <source>Classify</source>
        <translation>Classer</translation>
    </message>
    <message>
        <source>Finish a map</source>
        <translation>Finaliser une carte</translation>
    </message>
    <message>
        <source>Accuracy</source>
        <translation>Exactitude</translation>
    </message>
    <message>
        <source>Extent</source>
        <translation>Emprise</translation>
    </message>
    <message>
        <source>The part to use; everything if this is left empty.</source>
        <translation>La partie à utiliser ; tout si ce champ est vide.</translation>
    </message>
    <message>
        <source>Result</source>
        <translation>Résultat</translation>
    </message>
    <message>
        <source>A compressed GeoTIFF with names, colours and overviews.</source>
        <translation>Un GeoTIFF compressé avec noms, couleurs et pyramides.</translation>
    </message>
</context>
<context>
    <name>ClassDialog</name>
    <message>
        <source>Edit the class</source>
        <translation>Modifier la classe</translation>
    </message>
    <message>
        <source>Add a class</source>
        <translation>Ajouter une classe</translation>
    </message>
    <message>
        <source>What the legend, the map's file and the reports call the class</source>
        <translation>Le nom de la classe dans la légende, le fichier de la carte et les rapports</translation>
    </message>
    <message>
        <source>Any other colour</source>
        <translation>Toute autre couleur</translation>
    </message>
    <message>
        <source>There is a class of that name.</source>
        <translation>Une classe porte déjà ce nom.</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>Nom</translation>
    </message>
    <message>
        <source>Colour</source>
        <translation>Couleur</translation>
    </message>
    <message>
        <source>{color}: told apart with any colour vision</source>
        <translation>{color} : se distingue quelle que soit la vision des couleurs</translation>
    </message>
</context>
<context>
    <name>Classify</name>
    <message>
        <source>Classify an image</source>
        <translation>Classer une image</translation>
    </message>
    <message>
        <source>Classifies an image with a model of a Terrafine server. The result does not depend on the extent: a part is classified as it would be within the whole.

The result is a class map with names and colours, on the image's own pixels.</source>
        <translation>Classe une image avec un modèle d'un serveur Terrafine. Le résultat ne dépend pas de l'emprise : une partie est classée comme elle le serait dans l'ensemble.

Le résultat est une carte de classes avec noms et couleurs, sur les pixels mêmes de l'image.</translation>
    </message>
</context>
<context>
    <name>DeliverButton</name>
    <message>
        <source>Deliver</source>
        <translation>Livrer</translation>
    </message>
    <message>
        <source>Export the map, clean it, make polygons of it, measure areas and accuracy</source>
        <translation>Exporter la carte, la nettoyer, en faire des polygones, mesurer surfaces et exactitude</translation>
    </message>
    <message>
        <source>Export the map…</source>
        <translation>Exporter la carte…</translation>
    </message>
    <message>
        <source>Remove specks…</source>
        <translation>Enlever les taches isolées…</translation>
    </message>
    <message>
        <source>Make polygons…</source>
        <translation>Faire des polygones…</translation>
    </message>
    <message>
        <source>Areas by class…</source>
        <translation>Surfaces par classe…</translation>
    </message>
    <message>
        <source>1. Draw samples…</source>
        <translation>1. Tirer des échantillons…</translation>
    </message>
    <message>
        <source>2. Label samples…</source>
        <translation>2. Étiqueter les échantillons…</translation>
    </message>
    <message>
        <source>3. Assess accuracy…</source>
        <translation>3. Évaluer l'exactitude…</translation>
    </message>
</context>
<context>
    <name>Desk</name>
    <message>
        <source>Add a raster layer to begin.</source>
        <translation>Ajoutez une couche raster pour commencer.</translation>
    </message>
    <message>
        <source>{width} × {height} pixels</source>
        <translation>{width} × {height} pixels</translation>
    </message>
    <message>
        <source>Draw a rectangle over the image.</source>
        <translation>Dessinez un rectangle sur l'image.</translation>
    </message>
    <message>
        <source>The map does not show the image.</source>
        <translation>La carte ne montre pas l'image.</translation>
    </message>
    <message>
        <source>There is no image to classify.</source>
        <translation>Il n'y a pas d'image à classer.</translation>
    </message>
    <message>
        <source>Add a raster layer.</source>
        <translation>Ajoutez une couche raster.</translation>
    </message>
    <message>
        <source>'{name}' is being sampled at {gsd:g} m.</source>
        <translation>« {name} » est échantillonnée à {gsd:g} m.</translation>
    </message>
    <message>
        <source>Check that its provider's terms of use allow automatic analysis.</source>
        <translation>Vérifiez que les conditions d'utilisation du fournisseur permettent l'analyse automatique.</translation>
    </message>
    <message>
        <source>{name}, sampled</source>
        <translation>{name}, échantillonnée</translation>
    </message>
    <message>
        <source>Export the map</source>
        <translation>Exporter la carte</translation>
    </message>
    <message>
        <source>The map was saved as {path}.</source>
        <translation>La carte a été enregistrée sous {path}.</translation>
    </message>
</context>
<context>
    <name>Dock</name>
    <message>
        <source>Stopping…</source>
        <translation>Arrêt…</translation>
    </message>
    <message>
        <source>Sending pixels to the server…</source>
        <translation>Envoi des pixels au serveur…</translation>
    </message>
    <message>
        <source>Classifying…</source>
        <translation>Classification…</translation>
    </message>
    <message>
        <source>Refining…</source>
        <translation>Affinage…</translation>
    </message>
    <message>
        <source>1 mark</source>
        <translation>1 marque</translation>
    </message>
    <message>
        <source>{count} marks</source>
        <translation>{count} marques</translation>
    </message>
    <message>
        <source>{marks}; the map does not follow all of them yet</source>
        <translation>{marks} ; la carte ne les suit pas encore toutes</translation>
    </message>
    <message>
        <source>{marks} · map updated in {seconds:.2f} s</source>
        <translation>{marks} · carte mise à jour en {seconds:.2f} s</translation>
    </message>
    <message>
        <source>User guide (F1)</source>
        <translation>Guide de l'utilisateur (F1)</translation>
    </message>
    <message>
        <source>Learning from your marks…</source>
        <translation>Apprentissage à partir de vos marques…</translation>
    </message>
    <message>
        <source>Measuring how unsure the map is…</source>
        <translation>Mesure de l'incertitude…</translation>
    </message>
    <message>
        <source>Finding where to look next…</source>
        <translation>Recherche des endroits à regarder…</translation>
    </message>
    <message>
        <source>Thinking about your marks…</source>
        <translation>Analyse de vos marques…</translation>
    </message>
    <message>
        <source>Saving the model…</source>
        <translation>Enregistrement du modèle…</translation>
    </message>
    <message>
        <source>Where to look</source>
        <translation>Où regarder</translation>
    </message>
    <message>
        <source>Learn</source>
        <translation>Apprendre</translation>
    </message>
    <message>
        <source>History</source>
        <translation>Historique</translation>
    </message>
    <message>
        <source>Finding the object…</source>
        <translation>Recherche de l'objet…</translation>
    </message>
    <message>
        <source>No marks yet</source>
        <translation>Aucune marque</translation>
    </message>
</context>
<context>
    <name>ExchangeDesk</name>
    <message>
        <source>Another image was chosen: nothing was imported.</source>
        <translation>Une autre image a été choisie : rien n'a été importé.</translation>
    </message>
    <message>
        <source>Import again.</source>
        <translation>Importez à nouveau.</translation>
    </message>
    <message>
        <source>Marks imported: {count}.</source>
        <translation>Marques importées : {count}.</translation>
    </message>
    <message>
        <source>Left out: {reasons}.</source>
        <translation>Ignorées : {reasons}.</translation>
    </message>
    <message>
        <source>no class of the legend</source>
        <translation>pas une classe de la légende</translation>
    </message>
    <message>
        <source>no geometry</source>
        <translation>pas de géométrie</translation>
    </message>
    <message>
        <source>an outline that crosses itself</source>
        <translation>un contour qui se croise lui-même</translation>
    </message>
    <message>
        <source>outside the image</source>
        <translation>hors de l'image</translation>
    </message>
    <message>
        <source>Edits that cannot be marks and were not taken over: {count}.</source>
        <translation>Modifications qui ne peuvent pas être des marques et n'ont pas été reprises : {count}.</translation>
    </message>
    <message>
        <source>A mark needs a class of the legend and a shape without holes.</source>
        <translation>Une marque demande une classe de la légende et une forme sans trous.</translation>
    </message>
    <message>
        <source>no class</source>
        <translation>pas de classe</translation>
    </message>
    <message>
        <source>Saving imported marks</source>
        <translation>Enregistrement des marques importées</translation>
    </message>
    <message>
        <source>The import was taken back.</source>
        <translation>L'import a été annulé.</translation>
    </message>
</context>
<context>
    <name>Exporter</name>
    <message>
        <source>Exporting the map</source>
        <translation>Export de la carte</translation>
    </message>
</context>
<context>
    <name>Guide</name>
    <message>
        <source>Terrafine: user guide</source>
        <translation>Terrafine : guide de l'utilisateur</translation>
    </message>
</context>
<context>
    <name>HistoryPanel</name>
    <message>
        <source>Click a step to go back to it; steps in grey are undone</source>
        <translation>Cliquez une étape pour y revenir ; les étapes en gris sont annulées</translation>
    </message>
    <message>
        <source>As it was opened</source>
        <translation>Comme à l'ouverture</translation>
    </message>
    <message>
        <source>Point</source>
        <translation>Point</translation>
    </message>
    <message>
        <source>Stroke</source>
        <translation>Trait</translation>
    </message>
    <message>
        <source>Polygon</source>
        <translation>Polygone</translation>
    </message>
    <message>
        <source>Marks erased: {count}</source>
        <translation>Marques effacées : {count}</translation>
    </message>
    <message>
        <source>Marks edited: {count}</source>
        <translation>Marques modifiées : {count}</translation>
    </message>
    <message>
        <source>Marks imported: {count}</source>
        <translation>Marques importées : {count}</translation>
    </message>
    <message>
        <source>Region locked</source>
        <translation>Région verrouillée</translation>
    </message>
    <message>
        <source>Region unlocked</source>
        <translation>Région déverrouillée</translation>
    </message>
    <message>
        <source>Learnt from the marks</source>
        <translation>Apprentissage à partir des marques</translation>
    </message>
    <message>
        <source>What was learnt undone</source>
        <translation>Apprentissage réinitialisé</translation>
    </message>
    <message>
        <source>Class added: {name}</source>
        <translation>Classe ajoutée : {name}</translation>
    </message>
    <message>
        <source>{name} merged into {into}</source>
        <translation>{name} fusionnée avec {into}</translation>
    </message>
    <message>
        <source>Class removed: {name}</source>
        <translation>Classe supprimée : {name}</translation>
    </message>
    <message>
        <source>Class changed: {name}</source>
        <translation>Classe modifiée : {name}</translation>
    </message>
    <message>
        <source>Side information</source>
        <translation>Informations annexes</translation>
    </message>
</context>
<context>
    <name>ImportDialog</name>
    <message>
        <source>Import marks</source>
        <translation>Importer des marques</translation>
    </message>
    <message>
        <source> px</source>
        <translation> px</translation>
    </message>
    <message>
        <source>Layer</source>
        <translation>Couche</translation>
    </message>
    <message>
        <source>Class field</source>
        <translation>Champ de la classe</translation>
    </message>
    <message>
        <source>Width of lines</source>
        <translation>Largeur des lignes</translation>
    </message>
    <message>
        <source>The field holds names of classes, or their ids: {legend}.</source>
        <translation>Le champ contient les noms des classes, ou leurs identifiants : {legend}.</translation>
    </message>
    <message>
        <source>The layer whose points, lines and polygons become marks</source>
        <translation>La couche dont les points, lignes et polygones deviennent des marques</translation>
    </message>
    <message>
        <source>The field that says which class each feature is of</source>
        <translation>Le champ qui dit la classe de chaque entité</translation>
    </message>
    <message>
        <source>How wide a line of the layer becomes, in pixels of the image</source>
        <translation>Largeur que prend une ligne de la couche, en pixels de l'image</translation>
    </message>
    <message>
        <source>The project has no vector layer to import from: add one first.</source>
        <translation>Le projet n'a aucune couche vectorielle à importer : ajoutez-en une d'abord.</translation>
    </message>
</context>
<context>
    <name>Importer</name>
    <message>
        <source>Importing marks</source>
        <translation>Import de marques</translation>
    </message>
</context>
<context>
    <name>Labelling</name>
    <message>
        <source>Label samples…</source>
        <translation>Étiqueter les échantillons…</translation>
    </message>
    <message>
        <source>Look at the pixel in the frame, and press the number of its class. Zoom as you like.</source>
        <translation>Regardez le pixel dans le cadre et appuyez sur le numéro de sa classe. Zoomez à votre guise.</translation>
    </message>
    <message>
        <source>Choose a layer of samples. Deliver › 1. Draw samples… makes one.</source>
        <translation>Choisissez une couche d'échantillons. Livrer › 1. Tirer des échantillons… en crée une.</translation>
    </message>
    <message>
        <source>All samples have a label. Next: Deliver › 3. Assess accuracy…</source>
        <translation>Tous les échantillons ont une étiquette. Ensuite : Livrer › 3. Évaluer l'exactitude…</translation>
    </message>
</context>
<context>
    <name>LabellingDock</name>
    <message>
        <source>Label samples</source>
        <translation>Étiqueter les échantillons</translation>
    </message>
    <message>
        <source>Back</source>
        <translation>Retour</translation>
    </message>
    <message>
        <source>To the sample before (Backspace)</source>
        <translation>À l'échantillon précédent (Retour arrière)</translation>
    </message>
    <message>
        <source>Next sample</source>
        <translation>Échantillon suivant</translation>
    </message>
    <message>
        <source>Leave this one for later (N)</source>
        <translation>Laisser celui-ci pour plus tard (N)</translation>
    </message>
    <message>
        <source>{done} of {all}</source>
        <translation>{done} sur {all}</translation>
    </message>
    <message>
        <source>Samples</source>
        <translation>Échantillons</translation>
    </message>
    <message>
        <source>What is really there?</source>
        <translation>Qu'y a-t-il réellement ?</translation>
    </message>
    <message>
        <source>The samples to label: a layer of points that 'Stratified random samples' has made</source>
        <translation>Les échantillons à étiqueter : une couche de points créée par « Échantillons aléatoires stratifiés »</translation>
    </message>
</context>
<context>
    <name>Learn</name>
    <message>
        <source>Learn from marks</source>
        <translation>Apprendre des marques</translation>
    </message>
    <message>
        <source>Retrains a model of a Terrafine server on marks, points, lines or polygons that say what is really there, and keeps the result at the server as a new model. The old one stays as it is.

Right before and right after are the percentages of the marked pixels that the model gets right by itself.</source>
        <translation>Réentraîne un modèle d'un serveur Terrafine avec des marques, points, lignes ou polygones qui disent ce qui est réellement là, et garde le résultat sur le serveur comme nouveau modèle. L'ancien reste tel quel.

Juste avant et juste après sont les pourcentages de pixels marqués que le modèle trouve de lui-même.</translation>
    </message>
    <message>
        <source>The colours of the scene</source>
        <translation>Les couleurs de la scène</translation>
    </message>
    <message>
        <source>All but the encoder</source>
        <translation>Tout sauf l'encodeur</translation>
    </message>
    <message>
        <source>Everything</source>
        <translation>Tout</translation>
    </message>
    <message>
        <source>What may change</source>
        <translation>Ce qui peut changer</translation>
    </message>
    <message>
        <source>The less may change, the quicker it is, and the less is forgotten.</source>
        <translation>Moins il peut changer de choses, plus c'est rapide et moins on oublie.</translation>
    </message>
    <message>
        <source>Name of the new model</source>
        <translation>Nom du nouveau modèle</translation>
    </message>
    <message>
        <source>Letters, digits, '.', '_' or '-'; one that the server does not have yet.</source>
        <translation>Lettres, chiffres, « . », « _ » ou « - » ; un nom que le serveur n'a pas encore.</translation>
    </message>
    <message>
        <source>Title of the new model</source>
        <translation>Titre du nouveau modèle</translation>
    </message>
    <message>
        <source>For people; the name if this is left empty.</source>
        <translation>Pour les lecteurs ; le nom si ce champ est vide.</translation>
    </message>
    <message>
        <source>Map of the new model</source>
        <translation>Carte du nouveau modèle</translation>
    </message>
    <message>
        <source>The extent, classified with what was learnt, marks included.</source>
        <translation>L'emprise, classée avec ce qui a été appris, marques comprises.</translation>
    </message>
    <message>
        <source>Right before, percent</source>
        <translation>Juste avant, pour cent</translation>
    </message>
    <message>
        <source>Right after, percent</source>
        <translation>Juste après, pour cent</translation>
    </message>
</context>
<context>
    <name>LearnPanel</name>
    <message>
        <source>Marks correct the map around them. Let the model learn from them, and it gets the rest right, too.</source>
        <translation>Les marques corrigent la carte autour d'elles. Faites-en apprendre le modèle, et il corrigera aussi le reste.</translation>
    </message>
    <message>
        <source>Follow the advice: learn from your marks now</source>
        <translation>Suivre le conseil : apprendre maintenant de vos marques</translation>
    </message>
    <message>
        <source>Learn from my marks</source>
        <translation>Apprendre de mes marques</translation>
    </message>
    <message>
        <source>Retrain the model on all your marks, for this image only; the whole map follows (L)</source>
        <translation>Réentraîner le modèle avec toutes vos marques, pour cette image seulement ; toute la carte suit (L)</translation>
    </message>
    <message>
        <source>Compare with the map before the last learning (C): move the mouse; Esc ends it</source>
        <translation>Comparer avec la carte d'avant le dernier apprentissage (C) : déplacez la souris ; Échap y met fin</translation>
    </message>
    <message>
        <source>Advice: {reason}</source>
        <translation>Conseil : {reason}</translation>
    </message>
    <message>
        <source>The map is that of the model and what it has learnt from your marks.</source>
        <translation>La carte est celle du modèle et de ce qu'il a appris de vos marques.</translation>
    </message>
    <message>
        <source>Of the pixels you marked, the model by itself had {before} right; now it has {after}.</source>
        <translation>Parmi les pixels que vous avez marqués, le modèle seul en classait bien {before} ; à présent {after}.</translation>
    </message>
    <message>
        <source>How much of the model may change. More takes longer, and needs more marks</source>
        <translation>La part du modèle qui peut changer. Une plus grande part prend plus de temps et demande plus de marques</translation>
    </message>
    <message>
        <source>Quick: the colours of the scene</source>
        <translation>Rapide : les couleurs de la scène</translation>
    </message>
    <message>
        <source>Thorough: all but the image features</source>
        <translation>Approfondi : tout sauf les caractéristiques de l'image</translation>
    </message>
    <message>
        <source>Everything, also the image features</source>
        <translation>Tout, même les caractéristiques de l'image</translation>
    </message>
    <message>
        <source>Save or forget what was learnt</source>
        <translation>Enregistrer ou oublier ce qui a été appris</translation>
    </message>
    <message>
        <source>Save as a model…</source>
        <translation>Enregistrer comme modèle…</translation>
    </message>
    <message>
        <source>Keep what was learnt on the server, to use it on other images</source>
        <translation>Conserver sur le serveur ce qui a été appris, pour l'utiliser sur d'autres images</translation>
    </message>
    <message>
        <source>Reset what was learnt</source>
        <translation>Réinitialiser l'apprentissage</translation>
    </message>
    <message>
        <source>Go back to the model as it came; your marks stay. Undo takes it back</source>
        <translation>Revenir au modèle d'origine ; vos marques restent. « Annuler » rétablit ce qui a été appris</translation>
    </message>
    <message>
        <source>How far</source>
        <translation>Portée</translation>
    </message>
    <message>
        <source>Learn now</source>
        <translation>Apprendre maintenant</translation>
    </message>
    <message>
        <source>So few marks do not tell how well the model learns: look at the map, and mark more places.</source>
        <translation>Si peu de marques ne disent pas ce que le modèle apprend : regardez la carte, et marquez d'autres endroits.</translation>
    </message>
</context>
<context>
    <name>Legend</name>
    <message>
        <source> — press {key} to pick it</source>
        <translation> — touche {key} pour la choisir</translation>
    </message>
</context>
<context>
    <name>LegendTools</name>
    <message>
        <source>Add a class that the model does not know yet (Ins)</source>
        <translation>Ajouter une classe que le modèle ne connaît pas encore (Inser)</translation>
    </message>
    <message>
        <source>Rename or recolour the class (F2, or a double click)</source>
        <translation>Renommer la classe ou changer sa couleur (F2, ou un double-clic)</translation>
    </message>
    <message>
        <source>Merge the class into another (Ctrl+M)</source>
        <translation>Fusionner la classe avec une autre (Ctrl+M)</translation>
    </message>
    <message>
        <source>Remove the class: the next likely one is shown instead (Del)</source>
        <translation>Supprimer la classe : la plus probable après elle est montrée à sa place (Suppr)</translation>
    </message>
    <message>
        <source>Start with a legend of your own</source>
        <translation>Commencer avec votre propre légende</translation>
    </message>
    <message>
        <source>Start with my own classes…</source>
        <translation>Commencer avec mes propres classes…</translation>
    </message>
    <message>
        <source>Rename or recolour…</source>
        <translation>Renommer ou changer la couleur…</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Supprimer</translation>
    </message>
    <message>
        <source>Add a class…</source>
        <translation>Ajouter une classe…</translation>
    </message>
    <message>
        <source>Merge into</source>
        <translation>Fusionner avec</translation>
    </message>
    <message>
        <source>Merge '{name}' into</source>
        <translation>Fusionner « {name} » avec</translation>
    </message>
</context>
<context>
    <name>LookPanel</name>
    <message>
        <source>How it is measured how unsure the map is; the model offers these</source>
        <translation>Comment l'incertitude de la carte est mesurée ; c'est ce que le modèle propose</translation>
    </message>
    <message>
        <source>{size} pixels</source>
        <translation>{size} pixels</translation>
    </message>
    <message>
        <source>Map the uncertainty</source>
        <translation>Cartographier l'incertitude</translation>
    </message>
    <message>
        <source>Show how unsure the map is, from dark (sure) to bright (unsure)</source>
        <translation>Montrer l'incertitude de la carte, du sombre (sûr) au clair (incertain)</translation>
    </message>
    <message>
        <source>Show me where to look</source>
        <translation>Montrer où regarder</translation>
    </message>
    <message>
        <source>End the review and forget what has been looked at</source>
        <translation>Terminer la revue et oublier ce qui a été regardé</translation>
    </message>
    <message>
        <source>The most doubtful first</source>
        <translation>Les plus douteux d'abord</translation>
    </message>
    <message>
        <source>Row by row</source>
        <translation>Ligne par ligne</translation>
    </message>
    <message>
        <source>At random</source>
        <translation>Au hasard</translation>
    </message>
    <message>
        <source>Uncertainty</source>
        <translation>Incertitude</translation>
    </message>
    <message>
        <source>Order</source>
        <translation>Ordre</translation>
    </message>
    <message>
        <source>{share} of the area reviewed · {left}</source>
        <translation>{share} de la zone revue · {left}</translation>
    </message>
    <message>
        <source>Next (N)</source>
        <translation>Suivant (N)</translation>
    </message>
    <message>
        <source>Done (D)</source>
        <translation>Fait (D)</translation>
    </message>
    <message>
        <source>Skip (S)</source>
        <translation>Passer (S)</translation>
    </message>
    <message>
        <source>1 square left</source>
        <translation>encore 1 carré</translation>
    </message>
    <message>
        <source>{count} squares left</source>
        <translation>encore {count} carrés</translation>
    </message>
    <message>
        <source>Side of the squares to look at, in pixels of the image</source>
        <translation>Côté des carrés à regarder, en pixels de l'image</translation>
    </message>
    <message>
        <source>Which squares come first; at random shows how good the map is as a whole</source>
        <translation>Quels carrés viennent d'abord ; au hasard montre ce que vaut la carte dans son ensemble</translation>
    </message>
    <message>
        <source>Go through the map square by square</source>
        <translation>Parcourir la carte carré par carré</translation>
    </message>
    <message>
        <source>Leave this square open and go to the next</source>
        <translation>Laisser ce carré ouvert et passer au suivant</translation>
    </message>
    <message>
        <source>This square is right now: tick it off and go to the next; again takes it back</source>
        <translation>Ce carré est juste : le cocher et passer au suivant ; une seconde fois le décoche</translation>
    </message>
    <message>
        <source>Do not come back to this square; go to the next; again takes it back</source>
        <translation>Ne pas revenir à ce carré ; passer au suivant ; une seconde fois l'annule</translation>
    </message>
    <message>
        <source>Squares</source>
        <translation>Carrés</translation>
    </message>
</context>
<context>
    <name>Majority</name>
    <message>
        <source>Majority filter of a class map</source>
        <translation>Filtre majoritaire d'une carte de classes</translation>
    </message>
    <message>
        <source>Gives each pixel the class that is most frequent in a square around it, which smooths ragged borders and takes away speckle. Where no class is more frequent than the pixel's own, it keeps that. Pixels without data stay so, and have no vote.

The result keeps names and colours.</source>
        <translation>Donne à chaque pixel la classe la plus fréquente dans un carré autour de lui, ce qui lisse les bords irréguliers et retire les pixels isolés. Là où aucune classe n'est plus fréquente que celle du pixel, il la garde. Les pixels sans données le restent et ne votent pas.

Le résultat garde les noms et les couleurs.</translation>
    </message>
    <message>
        <source>Radius, in pixels</source>
        <translation>Rayon, en pixels</translation>
    </message>
    <message>
        <source>1 looks at 3 × 3 pixels, 2 at 5 × 5.</source>
        <translation>1 regarde 3 × 3 pixels, 2 en regarde 5 × 5.</translation>
    </message>
</context>
<context>
    <name>MapAlgorithm</name>
    <message>
        <source>Class map</source>
        <translation>Carte de classes</translation>
    </message>
    <message>
        <source>A raster of class ids, such as Terrafine's map. Names and colours are those of the layer.</source>
        <translation>Un raster d'identifiants de classes, comme la carte de Terrafine. Les noms et couleurs sont ceux de la couche.</translation>
    </message>
    <message>
        <source>Standard</source>
        <translation>Normal</translation>
    </message>
    <message>
        <source>Fine where in doubt</source>
        <translation>Fin là où il y a doute</translation>
    </message>
    <message>
        <source>Fine</source>
        <translation>Fin</translation>
    </message>
    <message>
        <source>Detail</source>
        <translation>Détail</translation>
    </message>
    <message>
        <source>Side information</source>
        <translation>Informations annexes</translation>
    </message>
    <message>
        <source>Points whose numbers the model is told, if it is one that takes any.</source>
        <translation>Points dont les nombres sont dits au modèle, s'il en prend.</translation>
    </message>
    <message>
        <source>Numbers</source>
        <translation>Nombres</translation>
    </message>
    <message>
        <source>The fields with them, in the model's order; empty for those of the names that the model knows.</source>
        <translation>Leurs champs, dans l'ordre du modèle ; vide pour ceux dont le modèle connaît le nom.</translation>
    </message>
    <message>
        <source>A second, closer look: sharper outlines in several times the time. Not every model offers it.</source>
        <translation>Un second regard, de plus près : des contours plus nets en plusieurs fois plus de temps. Tous les modèles ne l'offrent pas.</translation>
    </message>
</context>
<context>
    <name>MapPanel</name>
    <message>
        <source>Classify</source>
        <translation>Classer</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Annuler</translation>
    </message>
    <message>
        <source>The network that classifies, and with it the legend; the server offers them</source>
        <translation>Le réseau qui classe, et avec lui la légende ; le serveur les propose</translation>
    </message>
    <message>
        <source>Draw the rectangle on the map</source>
        <translation>Dessiner le rectangle sur la carte</translation>
    </message>
    <message>
        <source> m per pixel</source>
        <translation> m par pixel</translation>
    </message>
    <message>
        <source>A base map has no pixels of its own: it is sampled at this size</source>
        <translation>Un fond de carte n'a pas de pixels propres : il est échantillonné à cette taille</translation>
    </message>
    <message>
        <source>What the map shows</source>
        <translation>Ce que montre la carte</translation>
    </message>
    <message>
        <source>The whole image</source>
        <translation>Toute l'image</translation>
    </message>
    <message>
        <source>A rectangle</source>
        <translation>Un rectangle</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modèle</translation>
    </message>
    <message>
        <source>Image</source>
        <translation>Image</translation>
    </message>
    <message>
        <source>Area</source>
        <translation>Zone</translation>
    </message>
    <message>
        <source>Sampled at</source>
        <translation>Échantillonné à</translation>
    </message>
    <message>
        <source>Have the model classify the area; what you marked in it before holds</source>
        <translation>Faire classer la zone par le modèle ; vos marques y restent valables</translation>
    </message>
    <message>
        <source>The raster layer to classify: a file, or a base map that is sampled</source>
        <translation>La couche raster à classer : un fichier, ou un fond de carte échantillonné</translation>
    </message>
    <message>
        <source>How much of the image is classified</source>
        <translation>La part de l'image qui est classée</translation>
    </message>
    <message>
        <source>Side information: tell the model what is known at points</source>
        <translation>Informations annexes : dire au modèle ce que l'on sait en des points</translation>
    </message>
    <message>
        <source>How finely the map is drawn, from the next classification on</source>
        <translation>Finesse de la carte, à partir de la prochaine classification</translation>
    </message>
    <message>
        <source>Standard</source>
        <translation>Normal</translation>
    </message>
    <message>
        <source>Fine</source>
        <translation>Fin</translation>
    </message>
    <message>
        <source>A second, closer look everywhere; takes several times as long</source>
        <translation>Un second regard, plus près, partout ; plusieurs fois plus long</translation>
    </message>
    <message>
        <source>Fine where in doubt</source>
        <translation>Fin là où il y a doute</translation>
    </message>
    <message>
        <source>A second, closer look where the map is least sure</source>
        <translation>Un second regard, plus près, là où la carte hésite le plus</translation>
    </message>
    <message>
        <source>Detail</source>
        <translation>Détail</translation>
    </message>
    <message>
        <source>Image and model</source>
        <translation>Image et modèle</translation>
    </message>
    <message>
        <source>Fold this away, for more room below</source>
        <translation>Replier, pour plus de place en dessous</translation>
    </message>
    <message>
        <source>Stop, and keep what is there; learning that is stopped has changed nothing</source>
        <translation>Arrêter, et garder ce qui est là ; un apprentissage arrêté n'a rien changé</translation>
    </message>
    <message>
        <source>One look at each place, the fastest</source>
        <translation>Un seul regard partout, le plus rapide</translation>
    </message>
</context>
<context>
    <name>MarksDesk</name>
    <message>
        <source>Nothing is classified there.</source>
        <translation>Rien n'est classé à cet endroit.</translation>
    </message>
    <message>
        <source>Pick a class of the map.</source>
        <translation>Choisissez une classe de la carte.</translation>
    </message>
    <message>
        <source>There is no image there.</source>
        <translation>Il n'y a pas d'image à cet endroit.</translation>
    </message>
    <message>
        <source>Marks go onto the classified raster.</source>
        <translation>Les marques se posent sur le raster classé.</translation>
    </message>
    <message>
        <source>The outline crosses itself.</source>
        <translation>Le contour se croise lui-même.</translation>
    </message>
    <message>
        <source>Draw it again without a loop.</source>
        <translation>Dessinez-le à nouveau sans boucle.</translation>
    </message>
</context>
<context>
    <name>MarksPanel</name>
    <message>
        <source>Classify an area first. Then pick the right class and click where the map is wrong.</source>
        <translation>Classez d'abord une zone. Choisissez ensuite la bonne classe et cliquez là où la carte se trompe.</translation>
    </message>
    <message>
        <source>Refresh the map after each mark</source>
        <translation>Actualiser la carte après chaque marque</translation>
    </message>
    <message>
        <source>Refresh the map</source>
        <translation>Actualiser la carte</translation>
    </message>
    <message>
        <source>How much of the image the map covers</source>
        <translation>À quel point la carte couvre l'image</translation>
    </message>
    <message>
        <source> px</source>
        <translation> px</translation>
    </message>
    <message>
        <source>Correct the map</source>
        <translation>Corriger la carte</translation>
    </message>
    <message>
        <source>Map opacity</source>
        <translation>Opacité de la carte</translation>
    </message>
    <message>
        <source>Stroke width</source>
        <translation>Largeur du trait</translation>
    </message>
    <message>
        <source>In pixels of the image; [ and ] make it narrower and wider</source>
        <translation>En pixels de l'image ; [ et ] l'amincissent et l'élargissent</translation>
    </message>
    <message>
        <source>Without it, the map waits until you press Refresh the map</source>
        <translation>Sinon, la carte attend que vous appuyiez sur Actualiser la carte</translation>
    </message>
    <message>
        <source>Have the map follow all marks</source>
        <translation>Faire suivre toutes les marques à la carte</translation>
    </message>
</context>
<context>
    <name>MissingDock</name>
    <message>
        <source>Copy</source>
        <translation>Copier</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>Réessayer</translation>
    </message>
    <message>
        <source>Terrafine talks to its server through the Python package pyzmq, which this QGIS does not have. Run this command in a terminal (on Windows in the OSGeo4W Shell), then try again:</source>
        <translation>Terrafine communique avec son serveur par le paquet Python pyzmq, qui manque à ce QGIS. Exécutez cette commande dans un terminal (sous Windows dans l'OSGeo4W Shell), puis réessayez :</translation>
    </message>
    <message>
        <source>One package is missing</source>
        <translation>Il manque un paquet</translation>
    </message>
</context>
<context>
    <name>Objects</name>
    <message>
        <source>Objects from boxes</source>
        <translation>Objets à partir de cadres</translation>
    </message>
    <message>
        <source>Turns boxes around things, buildings say, into their outlines, with a model of a Terrafine server that finds single objects.

A box may be any feature: the rectangle around it counts, loosely drawn, with all of the object in it and the object in its middle. Boxes in which nothing was found are left out.</source>
        <translation>Transforme des cadres tracés autour de choses, de bâtiments par exemple, en leurs contours, avec un modèle d'un serveur Terrafine qui trouve des objets isolés.

Un cadre peut être une entité quelconque : c'est le rectangle qui l'entoure qui compte, tracé largement, avec tout l'objet dedans et l'objet en son milieu. Les cadres où rien n'a été trouvé sont écartés.</translation>
    </message>
    <message>
        <source>Boxes</source>
        <translation>Cadres</translation>
    </message>
    <message>
        <source>One feature around each object.</source>
        <translation>Une entité autour de chaque objet.</translation>
    </message>
    <message>
        <source>Least score</source>
        <translation>Score minimal</translation>
    </message>
    <message>
        <source>Objects that the model is less sure of are left out; 0 keeps all.</source>
        <translation>Les objets dont le modèle est moins sûr sont écartés ; 0 les garde tous.</translation>
    </message>
    <message>
        <source>Objects</source>
        <translation>Objets</translation>
    </message>
    <message>
        <source>Polygons with the attributes of their boxes, and how sure the model is of each: score, 0 to 1.</source>
        <translation>Polygones avec les attributs de leurs cadres, et la certitude du modèle pour chacun : score, de 0 à 1.</translation>
    </message>
    <message>
        <source>Objects found</source>
        <translation>Objets trouvés</translation>
    </message>
    <message>
        <source>Boxes without an object</source>
        <translation>Cadres sans objet</translation>
    </message>
</context>
<context>
    <name>ObjectsDesk</name>
    <message>
        <source>It may have 2 to {most} pixels a side.</source>
        <translation>Il peut avoir de 2 à {most} pixels de côté.</translation>
    </message>
    <message>
        <source>The box is too small or too large for an object.</source>
        <translation>Le cadre est trop petit ou trop grand pour un objet.</translation>
    </message>
</context>
<context>
    <name>OwnClassesDialog</name>
    <message>
        <source>Start with my own classes</source>
        <translation>Commencer avec mes propres classes</translation>
    </message>
    <message>
        <source>Add a class</source>
        <translation>Ajouter une classe</translation>
    </message>
    <message>
        <source>One more row</source>
        <translation>Une ligne de plus</translation>
    </message>
    <message>
        <source>A legend needs two classes.</source>
        <translation>Une légende demande deux classes.</translation>
    </message>
    <message>
        <source>Every class needs a name.</source>
        <translation>Chaque classe doit avoir un nom.</translation>
    </message>
    <message>
        <source>Two classes have the same name.</source>
        <translation>Deux classes portent le même nom.</translation>
    </message>
    <message>
        <source>The next area that you classify has exactly these classes. What the model knows by the same name goes on; everything else it learns from your marks. Maps and marks of before stay.</source>
        <translation>La prochaine zone que vous classerez aura exactement ces classes. Ce que le modèle connaît sous le même nom reste acquis ; tout le reste, il l'apprend de vos marques. Les cartes et marques d'avant restent.</translation>
    </message>
</context>
<context>
    <name>PatchList</name>
    <message>
        <source>done</source>
        <translation>fait</translation>
    </message>
    <message>
        <source>skipped</source>
        <translation>passé</translation>
    </message>
    <message>
        <source>uncertainty {score:.2f}</source>
        <translation>incertitude {score:.2f}</translation>
    </message>
    <message>
        <source>Click a square to go there</source>
        <translation>Cliquer sur un carré pour y aller</translation>
    </message>
</context>
<context>
    <name>Queries</name>
    <message>
        <source>Where to look first</source>
        <translation>Où regarder d'abord</translation>
    </message>
    <message>
        <source>The most uncertain ones.</source>
        <translation>Les plus incertains.</translation>
    </message>
    <message>
        <source>Measure</source>
        <translation>Mesure</translation>
    </message>
    <message>
        <source>entropy, margin, or another one that the model offers.</source>
        <translation>entropy, margin, ou une autre que le modèle propose.</translation>
    </message>
    <message>
        <source>A polygon layer.</source>
        <translation>Une couche de polygones.</translation>
    </message>
    <message>
        <source>Ranks the squares of an image by how unsure a model of a Terrafine server is of them, so that an hour of checking goes where the map is most likely wrong.

Fields: rank, 1 is the first to look at, and uncertainty, the square's mean from 0 to 1.</source>
        <translation>Classe les carrés d'une image selon l'incertitude d'un modèle d'un serveur Terrafine, pour qu'une heure de vérification aille là où la carte se trompe le plus probablement.

Champs : rank, 1 étant le premier à regarder, et uncertainty, la moyenne du carré de 0 à 1.</translation>
    </message>
    <message>
        <source>Side of a square, in pixels</source>
        <translation>Côté d'un carré, en pixels</translation>
    </message>
    <message>
        <source>Squares lie on a grid that begins at the image's corner.</source>
        <translation>Les carrés suivent une grille qui commence au coin de l'image.</translation>
    </message>
    <message>
        <source>Number of squares</source>
        <translation>Nombre de carrés</translation>
    </message>
    <message>
        <source>Squares</source>
        <translation>Carrés</translation>
    </message>
</context>
<context>
    <name>Refine</name>
    <message>
        <source>Classify with marks</source>
        <translation>Classer avec des marques</translation>
    </message>
    <message>
        <source>Classifies an image with a model of a Terrafine server that listens to marks: points, lines or polygons that say what is really there. The map heals around each of them; the model stays as it is.

The result is a class map with names and colours, on the image's own pixels.</source>
        <translation>Classe une image avec un modèle d'un serveur Terrafine qui tient compte de marques : points, lignes ou polygones qui disent ce qui est réellement là. La carte se corrige autour de chacune ; le modèle reste tel quel.

Le résultat est une carte de classes avec noms et couleurs, sur les pixels mêmes de l'image.</translation>
    </message>
</context>
<context>
    <name>RegionSizeAlgorithm</name>
    <message>
        <source>Smallest region to keep</source>
        <translation>Plus petite région à garder</translation>
    </message>
    <message>
        <source>Regions that are smaller go to their largest neighbour; 0 keeps all.</source>
        <translation>Les régions plus petites vont à leur plus grande voisine ; 0 les garde toutes.</translation>
    </message>
    <message>
        <source>pixels</source>
        <translation>pixels</translation>
    </message>
    <message>
        <source>m²</source>
        <translation>m²</translation>
    </message>
    <message>
        <source>Measured in</source>
        <translation>Mesurée en</translation>
    </message>
    <message>
        <source>Pixels, or square metres on the ground.</source>
        <translation>Pixels, ou mètres carrés au sol.</translation>
    </message>
</context>
<context>
    <name>RemoteAlgorithm</name>
    <message>
        <source>Image</source>
        <translation>Image</translation>
    </message>
    <message>
        <source>A raster in a file; base maps have to be sampled first, with Terrafine's panel.</source>
        <translation>Un raster dans un fichier ; les fonds de carte doivent d'abord être échantillonnés, avec le panneau de Terrafine.</translation>
    </message>
    <message>
        <source>Marks</source>
        <translation>Marques</translation>
    </message>
    <message>
        <source>Points, lines or polygons that say what is really there: Terrafine's marks or any other layer.</source>
        <translation>Points, lignes ou polygones qui disent ce qui est réellement là : les marques de Terrafine ou toute autre couche.</translation>
    </message>
    <message>
        <source>Class</source>
        <translation>Classe</translation>
    </message>
    <message>
        <source>The field with the id or the name of a class of the model.</source>
        <translation>Le champ avec l'identifiant ou le nom d'une classe du modèle.</translation>
    </message>
    <message>
        <source>Width of lines, in pixels</source>
        <translation>Largeur des lignes, en pixels</translation>
    </message>
    <message>
        <source>Only lines need one.</source>
        <translation>Utile seulement pour les lignes.</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modèle</translation>
    </message>
    <message>
        <source>Name of a model of the server; empty for the one that was last used.</source>
        <translation>Nom d'un modèle du serveur ; vide pour le dernier utilisé.</translation>
    </message>
    <message>
        <source>Server</source>
        <translation>Serveur</translation>
    </message>
    <message>
        <source>Address, such as 127.0.0.1:5590, or the name of a saved server; empty for the one that was last connected to. It has to be running.</source>
        <translation>Adresse, comme 127.0.0.1:5590, ou nom d'un serveur enregistré ; vide pour le dernier connecté. Il doit être en marche.</translation>
    </message>
    <message>
        <source>QGIS's Python lacks pyzmq: Terrafine's panel says how to get it.</source>
        <translation>Le Python de QGIS n'a pas pyzmq : le panneau de Terrafine dit comment l'obtenir.</translation>
    </message>
</context>
<context>
    <name>Report</name>
    <message>
        <source>Accuracy of {map}</source>
        <translation>Exactitude de « {map} »</translation>
    </message>
    <message>
        <source>Overall accuracy: {value} ({percent} confidence interval)</source>
        <translation>Exactitude globale : {value} (intervalle de confiance à {percent})</translation>
    </message>
    <message>
        <source>{right} of {all} labelled samples agree with the map.</source>
        <translation>{right} échantillons étiquetés sur {all} s'accordent avec la carte.</translation>
    </message>
    <message>
        <source>The map and the samples: white where the map is right, red where it is wrong.</source>
        <translation>La carte et les échantillons : en blanc là où la carte a raison, en rouge là où elle a tort.</translation>
    </message>
    <message>
        <source>Class</source>
        <translation>Classe</translation>
    </message>
    <message>
        <source>Samples</source>
        <translation>Échantillons</translation>
    </message>
    <message>
        <source>User's accuracy</source>
        <translation>Exactitude de l'utilisateur</translation>
    </message>
    <message>
        <source>Producer's accuracy</source>
        <translation>Exactitude du producteur</translation>
    </message>
    <message>
        <source>User's (coloured) and producer's accuracy (grey), %</source>
        <translation>Exactitude de l'utilisateur (en couleur) et du producteur (en gris), %</translation>
    </message>
    <message>
        <source>User's accuracy: of what the map calls so, how much is so. Producer's accuracy: of what is so, how much the map calls so.</source>
        <translation>Exactitude de l'utilisateur : part de ce que la carte nomme ainsi qui l'est vraiment. Exactitude du producteur : part de ce qui l'est vraiment que la carte nomme ainsi.</translation>
    </message>
    <message>
        <source>Mapped</source>
        <translation>Cartographié</translation>
    </message>
    <message>
        <source>Estimated</source>
        <translation>Estimé</translation>
    </message>
    <message>
        <source>{percent} interval</source>
        <translation>Intervalle à {percent}</translation>
    </message>
    <message>
        <source>Counting pixels gives the mapped area, with the map's mistakes in it. The estimated area corrects it by what the samples say of these mistakes: use this one.</source>
        <translation>Compter les pixels donne la surface cartographiée, erreurs comprises. La surface estimée la corrige d'après ce que les échantillons disent de ces erreurs : c'est elle qu'il faut utiliser.</translation>
    </message>
    <message>
        <source>Samples: map (rows), reference (columns)</source>
        <translation>Échantillons : carte (lignes), référence (colonnes)</translation>
    </message>
    <message>
        <source>Map</source>
        <translation>Carte</translation>
    </message>
    <message>
        <source>Share of the map</source>
        <translation>Part de la carte</translation>
    </message>
    <message>
        <source>The same as estimated shares of the area:</source>
        <translation>Les mêmes, en parts estimées de la surface :</translation>
    </message>
    <message>
        <source>Stratified estimators of Olofsson et al. (2014), Good practices for estimating area and assessing accuracy of land change, Remote Sensing of Environment 148, 42–57, equations 1 to 10, with the map's classes as strata. Intervals are 1.96 standard errors either way. Areas are measured on the WGS 84 ellipsoid.</source>
        <translation>Estimateurs stratifiés d'Olofsson et al. (2014), Good practices for estimating area and assessing accuracy of land change, Remote Sensing of Environment 148, 42–57, équations 1 à 10, avec les classes de la carte comme strates. Les intervalles valent 1,96 erreur type de part et d'autre. Les surfaces sont mesurées sur l'ellipsoïde WGS 84.</translation>
    </message>
    <message>
        <source>Mapped (grey) and estimated area (coloured)</source>
        <translation>Surface cartographiée (en gris) et estimée (en couleur)</translation>
    </message>
    <message>
        <source>Accuracy by class</source>
        <translation type="unfinished">Exactitude par classe</translation>
    </message>
    <message>
        <source>Areas</source>
        <translation>Surfaces</translation>
    </message>
    <message>
        <source>Error matrix</source>
        <translation type="unfinished">Matrice de confusion</translation>
    </message>
    <message>
        <source>Method</source>
        <translation>Méthode</translation>
    </message>
</context>
<context>
    <name>Samples</name>
    <message>
        <source>Stratified random samples</source>
        <translation>Échantillons aléatoires stratifiés</translation>
    </message>
    <message>
        <source>Draws random pixels from each class of a map. Label what is really there, in the field 'reference', then assess the map's accuracy with them. Terrafine's panel 'Label samples' walks you through.

Olofsson et al. (2014) advise 50 to 100 samples for each rare class, and to share the others by area. The samples come in random order, and nothing on the canvas shows what the map says of them: who labels should not know.</source>
        <translation>Tire des pixels au hasard dans chaque classe d'une carte. Étiquetez ce qui s'y trouve réellement, dans le champ « reference », puis évaluez avec eux l'exactitude de la carte. Le panneau « Étiqueter les échantillons » de Terrafine vous guide.

Olofsson et al. (2014) conseillent 50 à 100 échantillons pour chaque classe rare, et de répartir les autres selon la surface. Les échantillons viennent dans un ordre aléatoire, et rien à l'écran ne montre ce qu'en dit la carte : qui étiquette ne doit pas le savoir.</translation>
    </message>
    <message>
        <source>The same number for each class</source>
        <translation>Le même nombre pour chaque classe</translation>
    </message>
    <message>
        <source>By area</source>
        <translation>Selon la surface</translation>
    </message>
    <message>
        <source>By area, with a minimum for each class</source>
        <translation>Selon la surface, avec un minimum par classe</translation>
    </message>
    <message>
        <source>Number of samples</source>
        <translation>Nombre d'échantillons</translation>
    </message>
    <message>
        <source>Altogether. Minimums for many classes may add up to more.</source>
        <translation>En tout. Les minimums de nombreuses classes peuvent dépasser ce total.</translation>
    </message>
    <message>
        <source>Shared out</source>
        <translation>Répartition</translation>
    </message>
    <message>
        <source>How many samples each class gets.</source>
        <translation>Combien d'échantillons chaque classe reçoit.</translation>
    </message>
    <message>
        <source>Minimum for a class</source>
        <translation>Minimum par classe</translation>
    </message>
    <message>
        <source>Only used where samples are shared out with a minimum.</source>
        <translation>Utilisé seulement pour une répartition avec minimum.</translation>
    </message>
    <message>
        <source>Random seed</source>
        <translation>Graine aléatoire</translation>
    </message>
    <message>
        <source>The same number draws the same samples again.</source>
        <translation>Le même nombre tire à nouveau les mêmes échantillons.</translation>
    </message>
    <message>
        <source>Samples</source>
        <translation>Échantillons</translation>
    </message>
    <message>
        <source>A point layer: sample_id, map_class, and reference, which is to be filled in.</source>
        <translation>Une couche de points : sample_id, map_class, et reference, à remplir.</translation>
    </message>
</context>
<context>
    <name>SaveModelDialog</name>
    <message>
        <source>Save as a model</source>
        <translation>Enregistrer comme modèle</translation>
    </message>
    <message>
        <source>{title}, adapted</source>
        <translation>{title}, adapté</translation>
    </message>
    <message>
        <source>The folder's name on the server: letters, digits, '.', '_' and '-'</source>
        <translation>Le nom du dossier sur le serveur : lettres sans accent, chiffres, « . », « _ » et « - »</translation>
    </message>
    <message>
        <source>What the list of models shows</source>
        <translation>Ce que montre la liste des modèles</translation>
    </message>
    <message>
        <source>A name has letters, digits, '.', '_' and '-', and begins with a letter or digit.</source>
        <translation>Un nom se compose de lettres sans accent, de chiffres, de « . », « _ » et « - », et commence par une lettre ou un chiffre.</translation>
    </message>
    <message>
        <source>The server has a model of that name.</source>
        <translation>Le serveur a déjà un modèle de ce nom.</translation>
    </message>
    <message>
        <source>Give the model a title.</source>
        <translation>Donnez un titre au modèle.</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>Nom</translation>
    </message>
    <message>
        <source>Title</source>
        <translation>Titre</translation>
    </message>
    <message>
        <source>The server keeps the model with its legend of now; you can classify other images with it.</source>
        <translation>Le serveur garde le modèle avec sa légende actuelle ; vous pouvez classer d'autres images avec lui.</translation>
    </message>
</context>
<context>
    <name>ServerDesk</name>
    <message>
        <source>Setting up the local server</source>
        <translation>Installation du serveur local</translation>
    </message>
    <message>
        <source>Python of the environment that has the Terrafine server, or its 'terrafine' command</source>
        <translation>Python de l'environnement qui contient le serveur Terrafine, ou sa commande « terrafine »</translation>
    </message>
    <message>
        <source>Folder of models</source>
        <translation>Dossier de modèles</translation>
    </message>
    <message>
        <source>The models appear when the local server is started anew.</source>
        <translation>Les modèles apparaissent au prochain démarrage du serveur local.</translation>
    </message>
</context>
<context>
    <name>ServerPanel</name>
    <message>
        <source>Reconnect</source>
        <translation>Reconnecter</translation>
    </message>
    <message>
        <source>Address of a server on this or another computer: tcp://host:port</source>
        <translation>Adresse d'un serveur sur cet ordinateur ou un autre : tcp://hôte:port</translation>
    </message>
    <message>
        <source>Connect</source>
        <translation>Connecter</translation>
    </message>
    <message>
        <source>Use a server that runs already, here or on another computer</source>
        <translation>Utiliser un serveur déjà en marche, ici ou sur un autre ordinateur</translation>
    </message>
    <message>
        <source>Stop the local server</source>
        <translation>Arrêter le serveur local</translation>
    </message>
    <message>
        <source>Disconnect</source>
        <translation>Déconnecter</translation>
    </message>
    <message>
        <source>Start local server</source>
        <translation>Démarrer le serveur local</translation>
    </message>
    <message>
        <source>Set up a local server…</source>
        <translation>Installer un serveur local…</translation>
    </message>
    <message>
        <source>Restart local server</source>
        <translation>Redémarrer le serveur local</translation>
    </message>
    <message>
        <source>Local server</source>
        <translation>Serveur local</translation>
    </message>
    <message>
        <source>No server</source>
        <translation>Pas de serveur</translation>
    </message>
    <message>
        <source>Starting the local server…</source>
        <translation>Démarrage du serveur local…</translation>
    </message>
    <message>
        <source>Connecting…</source>
        <translation>Connexion…</translation>
    </message>
    <message>
        <source>The server has gone; trying again</source>
        <translation>Le serveur a disparu ; nouvel essai en cours</translation>
    </message>
    <message>
        <source>The server has gone</source>
        <translation>Le serveur a disparu</translation>
    </message>
    <message>
        <source>The server runs the model, on this computer or on one with a GPU.</source>
        <translation>Le serveur exécute le modèle, sur cet ordinateur ou sur un autre doté d'un GPU.</translation>
    </message>
    <message>
        <source>This takes a few seconds.</source>
        <translation>Cela prend quelques secondes.</translation>
    </message>
    <message>
        <source>Everything you drew is kept. You can go on drawing; the map follows when it is back.</source>
        <translation>Tout ce que vous avez dessiné est gardé. Vous pouvez continuer ; la carte suivra à son retour.</translation>
    </message>
    <message>
        <source>An address…</source>
        <translation>Une adresse…</translation>
    </message>
    <message>
        <source>Saved servers…</source>
        <translation>Serveurs enregistrés…</translation>
    </message>
    <message>
        <source>Server options</source>
        <translation>Options du serveur</translation>
    </message>
    <message>
        <source>Set up or remove the local server…</source>
        <translation>Installer ou supprimer le serveur local…</translation>
    </message>
    <message>
        <source>Choose the local server's Python…</source>
        <translation>Choisir le Python du serveur local…</translation>
    </message>
    <message>
        <source>Choose a folder of further models…</source>
        <translation>Choisir un dossier d'autres modèles…</translation>
    </message>
    <message>
        <source>Welcome and sample</source>
        <translation>Bienvenue et exemple</translation>
    </message>
    <message>
        <source>A server on this computer; it ends with QGIS</source>
        <translation>Un serveur sur cet ordinateur ; il s'arrête avec QGIS</translation>
    </message>
    <message>
        <source>Try the same server again at once</source>
        <translation>Réessayer tout de suite le même serveur</translation>
    </message>
    <message>
        <source>Use the server at this address</source>
        <translation>Utiliser le serveur à cette adresse</translation>
    </message>
</context>
<context>
    <name>ServersDialog</name>
    <message>
        <source>Saved servers</source>
        <translation>Serveurs enregistrés</translation>
    </message>
    <message>
        <source>Server {number}</source>
        <translation>Serveur {number}</translation>
    </message>
    <message>
        <source>Send your key to the server's administrator: only then does it let you in.</source>
        <translation>Envoyez votre clé à l'administrateur du serveur : il ne vous laissera entrer qu'ensuite.</translation>
    </message>
    <message>
        <source>Asking the server…</source>
        <translation>Le serveur est interrogé…</translation>
    </message>
    <message>
        <source>What you call this server</source>
        <translation>Le nom que vous donnez à ce serveur</translation>
    </message>
    <message>
        <source>tcp://host:port</source>
        <translation>tcp://hôte:port</translation>
    </message>
    <message>
        <source>The server's public key, from its file server.pub: 40 characters; none for a server that has no keys</source>
        <translation>La clé publique du serveur, tirée de son fichier server.pub : 40 caractères ; rien pour un serveur sans clés</translation>
    </message>
    <message>
        <source>Your public key for this server. The secret one beside it is kept by QGIS's authentication manager.</source>
        <translation>Votre clé publique pour ce serveur. La clé secrète correspondante est gardée par le gestionnaire d'authentification de QGIS.</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>Copier</translation>
    </message>
    <message>
        <source>Make a key</source>
        <translation>Créer une clé</translation>
    </message>
    <message>
        <source>Copy your public key, for the server's administrator</source>
        <translation>Copier votre clé publique, pour l'administrateur du serveur</translation>
    </message>
    <message>
        <source>New keys for you in place of the old ones; QGIS may ask for its master password</source>
        <translation>De nouvelles clés pour vous à la place des anciennes ; QGIS peut demander son mot de passe principal</translation>
    </message>
    <message>
        <source>Add</source>
        <translation>Ajouter</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Supprimer</translation>
    </message>
    <message>
        <source>Save one more server</source>
        <translation>Enregistrer un serveur de plus</translation>
    </message>
    <message>
        <source>Forget this server and your key to it</source>
        <translation>Oublier ce serveur et votre clé</translation>
    </message>
    <message>
        <source>Test</source>
        <translation>Tester</translation>
    </message>
    <message>
        <source>Connect</source>
        <translation>Connecter</translation>
    </message>
    <message>
        <source>See whether the server answers, and if not, why</source>
        <translation>Voir si le serveur répond, et sinon, pourquoi</translation>
    </message>
    <message>
        <source>Work with this server</source>
        <translation>Travailler avec ce serveur</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>Nom</translation>
    </message>
    <message>
        <source>Address</source>
        <translation>Adresse</translation>
    </message>
    <message>
        <source>Server's key</source>
        <translation>Clé du serveur</translation>
    </message>
    <message>
        <source>Your key</source>
        <translation>Votre clé</translation>
    </message>
    <message>
        <source>No server is saved yet. Press Add, then enter the server's address and, if it has one, its key.</source>
        <translation>Aucun serveur n'est encore enregistré. Cliquez sur Ajouter, puis saisissez l'adresse du serveur et, s'il en a une, sa clé.</translation>
    </message>
</context>
<context>
    <name>SetupDialog</name>
    <message>
        <source>Local server</source>
        <translation>Serveur local</translation>
    </message>
    <message>
        <source>Set up anew</source>
        <translation>Réinstaller</translation>
    </message>
    <message>
        <source>Set up</source>
        <translation>Installer</translation>
    </message>
    <message>
        <source>{free} are free there.</source>
        <translation>{free} y sont libres.</translation>
    </message>
    <message>
        <source>It goes into {folder}.</source>
        <translation>Il va dans {folder}.</translation>
    </message>
    <message>
        <source>The local server is in {folder}, with PyTorch for the {build}.</source>
        <translation>Le serveur local est dans {folder}, avec PyTorch pour {build}.</translation>
    </message>
    <message>
        <source>Wheel of the Terrafine server</source>
        <translation>Wheel du serveur Terrafine</translation>
    </message>
    <message>
        <source>The file terrafine-….whl that is handed out with the plugin's zip</source>
        <translation>Le fichier terrafine-….whl fourni avec le zip de l'extension</translation>
    </message>
    <message>
        <source>A Python from 3.9 on, which is only used to make the server's environment</source>
        <translation>Un Python à partir de 3.9, qui ne sert qu'à créer l'environnement du serveur</translation>
    </message>
    <message>
        <source>for any computer: fetches {fetched}, takes {on_disk} of disk</source>
        <translation>pour tout ordinateur : télécharge {fetched}, occupe {on_disk} de disque</translation>
    </message>
    <message>
        <source>for an NVIDIA GPU (CUDA): fetches {fetched}, takes {on_disk} of disk</source>
        <translation>pour un GPU NVIDIA (CUDA) : télécharge {fetched}, occupe {on_disk} de disque</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Annuler</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Supprimer</translation>
    </message>
    <message>
        <source>Make the environment and install the server; QGIS stays usable meanwhile</source>
        <translation>Créer l'environnement et installer le serveur ; QGIS reste utilisable pendant ce temps</translation>
    </message>
    <message>
        <source>Stop, and delete what has been fetched</source>
        <translation>Arrêter et effacer ce qui a été téléchargé</translation>
    </message>
    <message>
        <source>Delete the local server and what it keeps; marks, maps and saved models stay</source>
        <translation>Effacer le serveur local et ce qu'il garde ; marques, cartes et modèles enregistrés restent</translation>
    </message>
    <message>
        <source>The server runs the network. It gets a folder of its own with its own Python packages, PyTorch among them; nothing is installed into QGIS. You can go on working meanwhile.</source>
        <translation>Le serveur exécute le réseau. Il reçoit un dossier à lui avec ses propres paquets Python, dont PyTorch ; rien n'est installé dans QGIS. Vous pouvez continuer à travailler pendant ce temps.</translation>
    </message>
    <message>
        <source>PyTorch</source>
        <translation>PyTorch</translation>
    </message>
    <message>
        <source>Python</source>
        <translation>Python</translation>
    </message>
    <message>
        <source>A server on this computer</source>
        <translation>Un serveur sur cet ordinateur</translation>
    </message>
    <message>
        <source>Without a GPU a correction takes a second or two, and a large area minutes</source>
        <translation>Sans GPU, une correction prend une seconde ou deux, et une grande zone des minutes</translation>
    </message>
    <message>
        <source>Looking for a Python…</source>
        <translation>Recherche d'un Python…</translation>
    </message>
    <message>
        <source>Server file (.whl)</source>
        <translation>Fichier du serveur (.whl)</translation>
    </message>
</context>
<context>
    <name>SideDialog</name>
    <message>
        <source>Side information</source>
        <translation>Informations annexes</translation>
    </message>
    <message>
        <source>Points with numbers: photographs that were rated, survey answers, sensors</source>
        <translation>Des points avec des nombres : photographies notées, réponses à une enquête, capteurs</translation>
    </message>
    <message>
        <source>Forget it</source>
        <translation>Les oublier</translation>
    </message>
    <message>
        <source>Let the map be made from the image and your marks alone</source>
        <translation>Ne faire la carte que de l'image et de vos marques</translation>
    </message>
    <message>
        <source>This model listens to numbers that are known at points. They steer the map around them, as marks do.</source>
        <translation>Ce modèle tient compte de nombres connus en des points. Ils orientent la carte autour d'eux, comme le font les marques.</translation>
    </message>
    <message>
        <source>Points</source>
        <translation>Points</translation>
    </message>
</context>
<context>
    <name>Sieve</name>
    <message>
        <source>Sieve a class map</source>
        <translation>Tamiser une carte de classes</translation>
    </message>
    <message>
        <source>Gives small regions of a class map to the largest region beside them, the smallest first. Pixels hang together along their edges, not at their corners. A region without any neighbour that is large enough stays as it is.

The result keeps names and colours.</source>
        <translation>Donne les petites régions d'une carte de classes à la plus grande région voisine, en commençant par la plus petite. Les pixels se touchent par leurs côtés, non par leurs coins. Une région sans voisine assez grande reste telle quelle.

Le résultat garde les noms et les couleurs.</translation>
    </message>
</context>
<context>
    <name>Statistics</name>
    <message>
        <source>Statistics by class</source>
        <translation>Statistiques par classe</translation>
    </message>
    <message>
        <source>Counts the pixels of each class: a table of pixels, hectares and percent.

Hectares are measured on the WGS 84 ellipsoid, row by row, so they are right in any CRS, degrees and Web Mercator included; they are empty where the map has no CRS. Percent are of the area, or of the pixels without a CRS; what has no data does not count.</source>
        <translation>Compte les pixels de chaque classe : une table de pixels, d'hectares et de pourcentages.

Les hectares sont mesurés sur l'ellipsoïde WGS 84, ligne par ligne ; ils sont donc justes dans tout SCR, degrés et Web Mercator compris ; ils sont vides là où la carte n'a pas de SCR. Les pourcentages portent sur la surface, ou sur les pixels sans SCR ; ce qui n'a pas de données ne compte pas.</translation>
    </message>
    <message>
        <source>Statistics</source>
        <translation>Statistiques</translation>
    </message>
    <message>
        <source>A table: class_id, class_name, pixels, hectares, share_percent.</source>
        <translation>Une table : class_id, class_name, pixels, hectares, share_percent.</translation>
    </message>
</context>
<context>
    <name>Swipe</name>
    <message>
        <source>before</source>
        <translation>avant</translation>
    </message>
    <message>
        <source>now</source>
        <translation>maintenant</translation>
    </message>
</context>
<context>
    <name>TerrafinePlugin</name>
    <message>
        <source>Correct land-cover maps by pointing at mistakes</source>
        <translation>Corriger des cartes d'occupation du sol en montrant leurs erreurs</translation>
    </message>
</context>
<context>
    <name>ToolButtons</name>
    <message>
        <source>Undo (Ctrl+Z)</source>
        <translation>Annuler (Ctrl+Z)</translation>
    </message>
    <message>
        <source>Redo (Ctrl+Shift+Z)</source>
        <translation>Rétablir (Ctrl+Maj+Z)</translation>
    </message>
    <message>
        <source>Point</source>
        <translation>Point</translation>
    </message>
    <message>
        <source>Stroke</source>
        <translation>Trait</translation>
    </message>
    <message>
        <source>Polygon</source>
        <translation>Polygone</translation>
    </message>
    <message>
        <source>Rectangle</source>
        <translation>Rectangle</translation>
    </message>
    <message>
        <source>Erase marks</source>
        <translation>Effacer des marques</translation>
    </message>
    <message>
        <source>Pick a class</source>
        <translation>Prélever une classe</translation>
    </message>
    <message>
        <source>Lock</source>
        <translation>Verrouiller</translation>
    </message>
    <message>
        <source>Unlock</source>
        <translation>Déverrouiller</translation>
    </message>
    <message>
        <source>click where the map is wrong</source>
        <translation>cliquez là où la carte se trompe</translation>
    </message>
    <message>
        <source>press, draw along what the map gets wrong, release</source>
        <translation>appuyez, suivez ce que la carte montre mal, relâchez</translation>
    </message>
    <message>
        <source>click the corners; a right click or Enter completes it, Backspace takes one back</source>
        <translation>cliquez les sommets ; un clic droit ou Entrée le termine, Retour arrière en reprend un</translation>
    </message>
    <message>
        <source>press at one corner, release at the opposite one</source>
        <translation>appuyez à un coin, relâchez au coin opposé</translation>
    </message>
    <message>
        <source>click or draw over marks to remove them</source>
        <translation>cliquez ou passez sur des marques pour les retirer</translation>
    </message>
    <message>
        <source>click on the map to draw with the class that it shows there</source>
        <translation>cliquez sur la carte pour dessiner avec la classe qu'elle y montre</translation>
    </message>
    <message>
        <source>draw a polygon around what is finished: it stays as it is</source>
        <translation>dessinez un polygone autour de ce qui est fini : cela reste tel quel</translation>
    </message>
    <message>
        <source>click on a locked region to set it free</source>
        <translation>cliquez sur une région verrouillée pour la libérer</translation>
    </message>
    <message>
        <source>Import and export marks</source>
        <translation>Importer et exporter des marques</translation>
    </message>
    <message>
        <source>Import marks from a vector layer…</source>
        <translation>Importer des marques d'une couche vectorielle…</translation>
    </message>
    <message>
        <source>Export the marks…</source>
        <translation>Exporter les marques…</translation>
    </message>
    <message>
        <source>Object</source>
        <translation>Objet</translation>
    </message>
    <message>
        <source>drag a box around it, click inside; left clicks add, right clicks take away, Enter accepts, Esc drops</source>
        <translation>tracez un cadre autour, cliquez dedans ; le clic gauche ajoute, le clic droit retire, Entrée accepte, Échap abandonne</translation>
    </message>
    <message>
        <source>Pick the right class above, then click on the map where it is wrong.</source>
        <translation>Choisissez la bonne classe ci-dessus, puis cliquez là où la carte se trompe.</translation>
    </message>
</context>
<context>
    <name>Uncertainty</name>
    <message>
        <source>Map of uncertainty</source>
        <translation>Carte d'incertitude</translation>
    </message>
    <message>
        <source>How unsure a model of a Terrafine server is of each pixel of an image: 0 is sure, 1 is as unsure as can be. High values show where to look first.

The result is a raster of bytes with a scale, which QGIS shows as values from 0 to 1.</source>
        <translation>À quel point un modèle d'un serveur Terrafine doute de chaque pixel d'une image : 0 est sûr, 1 est aussi incertain que possible. Les valeurs élevées montrent où regarder d'abord.

Le résultat est un raster d'octets avec une échelle, que QGIS montre comme des valeurs de 0 à 1.</translation>
    </message>
    <message>
        <source>Measure</source>
        <translation>Mesure</translation>
    </message>
    <message>
        <source>entropy, margin, or another one that the model offers.</source>
        <translation>entropy, margin, ou une autre que le modèle propose.</translation>
    </message>
</context>
<context>
    <name>Vectorise</name>
    <message>
        <source>Vectorise a class map</source>
        <translation>Vectoriser une carte de classes</translation>
    </message>
    <message>
        <source>Turns a class map into polygons, one for each region of a class.

Small regions go to their neighbours first. Borders are then simplified as a whole: neighbours go on sharing them, so that there are neither gaps nor overlaps, and no border crosses another.

Fields: class_id, class_name, and area_m2, the polygon's area on the WGS 84 ellipsoid in square metres (empty where the map has no CRS).</source>
        <translation>Transforme une carte de classes en polygones, un pour chaque région d'une classe.

Les petites régions vont d'abord à leurs voisines. Les limites sont ensuite simplifiées ensemble : les voisines continuent de les partager, si bien qu'il n'y a ni trou ni recouvrement et qu'aucune limite n'en croise une autre.

Champs : class_id, class_name, et area_m2, la surface du polygone sur l'ellipsoïde WGS 84 en mètres carrés (vide là où la carte n'a pas de SCR).</translation>
    </message>
    <message>
        <source>Simplification, in pixels</source>
        <translation>Simplification, en pixels</translation>
    </message>
    <message>
        <source>Detail smaller than a square with this side is left out; 0 keeps the edges of the pixels.</source>
        <translation>Les détails plus petits qu'un carré de ce côté sont omis ; 0 garde les bords des pixels.</translation>
    </message>
    <message>
        <source>Polygons</source>
        <translation>Polygones</translation>
    </message>
    <message>
        <source>A polygon layer.</source>
        <translation>Une couche de polygones.</translation>
    </message>
</context>
<context>
    <name>WelcomeDesk</name>
    <message>
        <source>The sample cannot be copied to '{folder}': {reason}.</source>
        <translation>L'exemple ne peut pas être copié dans « {folder} » : {reason}.</translation>
    </message>
    <message>
        <source>Sample coast</source>
        <translation>Côte d'exemple</translation>
    </message>
</context>
<context>
    <name>WelcomePanel</name>
    <message>
        <source>Open the sample</source>
        <translation>Ouvrir l'exemple</translation>
    </message>
    <message>
        <source>A made-up coast of 512 m, to try everything on</source>
        <translation>Une côte imaginaire de 512 m, pour tout essayer</translation>
    </message>
    <message>
        <source>User guide</source>
        <translation>Guide</translation>
    </message>
    <message>
        <source>Opens beside QGIS; F1 in this panel does so, too</source>
        <translation>S'ouvre à côté de QGIS ; F1 dans ce panneau aussi</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Fermer</translation>
    </message>
    <message>
        <source>Welcome to Terrafine</source>
        <translation>Bienvenue dans Terrafine</translation>
    </message>
    <message>
        <source>The server options, to the right below, bring it back</source>
        <translation>Les options du serveur, en bas à droite, le font revenir</translation>
    </message>
    <message>
        <source>Open an image of your own, or the sample, and press Classify.</source>
        <translation>Ouvrez une image à vous, ou l'exemple, et pressez Classer.</translation>
    </message>
    <message>
        <source>Pick the right class and click where the map is wrong.</source>
        <translation>Choisissez la bonne classe et cliquez là où la carte se trompe.</translation>
    </message>
    <message>
        <source>Start a server below, or set one up: it runs the network that classifies.</source>
        <translation>Démarrez un serveur ci-dessous, ou installez-en un : il exécute le réseau qui classe.</translation>
    </message>
</context>
<context>
    <name>_ClassRow</name>
    <message>
        <source>Name of the class</source>
        <translation>Nom de la classe</translation>
    </message>
    <message>
        <source>Colour of the class</source>
        <translation>Couleur de la classe</translation>
    </message>
    <message>
        <source>Leave this class out</source>
        <translation>Ne pas reprendre cette classe</translation>
    </message>
</context>
</TS>
